"""`sbirctl embed`: a run or a model in, an embeddings file out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made

panel = "Pipeline"
order = 30

TestDatasetOption = Annotated[
    str,
    typer.Option(
        "--dataset",
        help="Test the run on this prepared data set.",
        autocompletion=_names.prepared,
    ),
]
TestSplitOption = Annotated[
    str,
    typer.Option(
        "--split",
        help="The classes tested there: a list, a file, or all.",
        autocompletion=_names.splits,
    ),
]
LeaksOption = Annotated[
    str,
    typer.Option(
        "--leaks",
        metavar="refuse|drop",
        help="With a run and other data: what becomes of classes and images it was trained on.",
    ),
]


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run, a checkpoint or a model; - reads its path from stdin. [default: the"
            " newest run]",
            autocompletion=_names.runs_and_models,
        ),
    ] = "",
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            help="A prepared data set; of a run: another one to test on.",
            autocompletion=_names.prepared,
        ),
    ] = "",
    target: Annotated[
        str,
        typer.Option(
            "--target",
            help="With a model's name: the data set to test on, for the task cd.",
            autocompletion=_names.prepared,
        ),
    ] = "",
    task: Annotated[
        str,
        typer.Option(
            "--task",
            help="With --dataset: the task. [default: cg]",
            autocompletion=_names.tasks,
        ),
    ] = "",
    split: Annotated[
        str,
        typer.Option(
            "--split",
            help="Which classes are unseen and tested: a list of `sbirctl splits`, a file, or all.",
            autocompletion=_names.splits,
        ),
    ] = "",
    leaks: LeaksOption = "refuse",
    seed: _console.SeedOption = 0,
    side: Annotated[
        Literal["train", "val", "test"],
        typer.Option("--side", help="Which data to embed."),
    ] = "test",
    with_train: Annotated[
        bool, typer.Option("--with-train", help="Also embed the training data.")
    ] = False,
    assignments: _console.SetOption = None,
    config: _console.ConfigOption = None,
    weights: _console.WeightsOption = "",
    device: _console.DeviceOption = "auto",
    workers: _console.WorkersOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write. [default: in the run's folder]"
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Embed again, even if it was done before.")
    ] = False,
) -> Made:
    """Embed the sketches and photos that are to be ranked."""
    chosen = str(_console.input_path("-")) if source == "-" else source
    if not chosen:
        from sbirctl.core.home import newest_run

        chosen = str(newest_run())
    from sbirctl.pipeline.embed import embed

    path = embed(
        chosen,
        dataset=dataset,
        target=target,
        task=task,
        split=split,
        leaks=leaks,
        seed=seed,
        side=side,
        with_train=with_train,
        assignments=assignments or (),
        config=config,
        weights=weights,
        device=device,
        workers=workers,
        out=out,
        fresh=fresh,
        report=_console.reporter(),
    )
    return made(path)
