"""`sbirctl embed`: a run or a model in, an embeddings file out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "Pipeline"
order = 30

_SIDES = ("train", "val", "test")


def _sources(incomplete: str) -> list[str]:
    from sbirctl.models import MODELS
    from sbirctl.pipeline.runs import rows

    known = [*MODELS.names(), *(row["run"] for row in rows())]
    return [name for name in known if name.startswith(incomplete)]


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run, a checkpoint, a model, - for a path on stdin. [default: the newest run]",
            autocompletion=_sources,
        ),
    ] = "",
    dataset: Annotated[
        str, typer.Option("--dataset", help="For a model: a prepared data set.")
    ] = "",
    target: Annotated[
        str, typer.Option("--target", help="For a model: second data set, for the task cd.")
    ] = "",
    task: Annotated[
        str,
        typer.Option("--task", help="For a model: its task, [default: cg]; see `sbirctl tasks`."),
    ] = "",
    split: Annotated[str, typer.Option("--split", help="For a model: a class list.")] = "",
    seed: Annotated[int, typer.Option("--seed", help="For a model with random values.")] = 0,
    side: Annotated[str, typer.Option("--side", help="train, val or test.")] = "test",
    with_train: Annotated[
        bool, typer.Option("--with-train", help="Add the training side's embeddings.")
    ] = False,
    assignments: _console.SetOption = None,
    config: _console.ConfigOption = None,
    weights: Annotated[
        str, typer.Option("--weights", help="Starting weights: pretrained, none or a file.")
    ] = "",
    device: _console.DeviceOption = "auto",
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="Reading threads; chosen by itself.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write. [default: in the run's folder]"
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Embed again.")] = False,
    print0: _console.Print0Option = False,
) -> None:
    """Embed the sketches and photos that are to be ranked."""
    from sbirctl.core.errors import UsageError, nearest

    if side not in _SIDES:
        raise UsageError(f"There is no side {side!r}.", nearest(side, _SIDES))
    chosen = str(_console.input_path("-")) if source == "-" else source
    if not chosen:
        from sbirctl.pipeline.runs import newest_run

        chosen = str(newest_run())
    from sbirctl.pipeline.embed import embed

    path = embed(
        chosen,
        dataset=dataset,
        target=target,
        task=task,
        split=split,
        seed=seed,
        side=side,  # type: ignore[arg-type]
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
    _console.print_path(path, null=print0)
