"""`sbirctl embed`: runs or models in, an embeddings file of each out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made, made_all

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
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="A run, a checkpoint or a model, or several; - reads paths from stdin. [default:"
            " the newest run]",
            show_default=False,
            autocompletion=_names.runs_and_models,
        ),
    ] = None,
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
    runtime: Annotated[
        str,
        typer.Option(
            "--runtime",
            metavar="RUNTIME",
            autocompletion=_names.runtimes,
            help="What computes vectors: onnx or torch. [default: onnx on a processor, from 10,000 "
            "images on, where the model can be exported]",
        ),
    ] = "",
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
    """Embed the sketches and photos that are to be ranked.

    Several runs or models go through the images together and read them once; each writes its own
    file, the one it would write alone. All of them are in memory at once.
    """
    chosen = _console.several_inputs(sources or [])
    if not chosen:
        from sbirctl.core.home import newest_run

        chosen = [str(newest_run())]
    from sbirctl.pipeline.embed import embed_all

    paths = embed_all(
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
        runtime=runtime or "auto",
        report=_console.reporter(),
    )
    return made(*paths) if len(paths) == 1 else made_all(paths)
