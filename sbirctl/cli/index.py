"""`sbirctl index`: folders of one's own photos in, a gallery out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made

if TYPE_CHECKING:
    from sbirctl.galleries.indexing import IndexOutcome

panel = "Your own photos"
order = 1


def command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders of photos, with all their sub-folders, or photos. [default: those "
            "the gallery has]",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--gallery",
            "-g",
            metavar="NAME",
            help="Name of the gallery. [default: the first folder's name]",
            autocompletion=_names.galleries,
        ),
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="RUN|NAME",
            help="A run, a checkpoint, an exported folder, a model, or starter, the one that comes "
            "with the program. [default: the gallery's own, else the newest run, else starter]",
            autocompletion=_names.gallery_models,
        ),
    ] = "",
    weights: _console.WeightsOption = "",
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="ENGINE",
            autocompletion=_names.engines,
            help="exact, faiss:KIND or qdrant://HOST:PORT/NAME. [default: the gallery's, or exact]",
        ),
    ] = "",
    runtime: Annotated[
        str,
        typer.Option(
            "--runtime",
            metavar="RUNTIME",
            autocompletion=_names.runtimes,
            help="What computes vectors: onnx or torch. [default: the gallery's, or onnx where the "
            "model can be exported]",
        ),
    ] = "",
    forget: Annotated[
        list[Path] | None,
        typer.Option(
            "--forget",
            metavar="FOLDER",
            help="Remove this folder or file from the gallery; may be repeated.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="PATTERN",
            help="Leave out files and folders whose name or path matches, now and later; may"
            " be repeated.",
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include",
            metavar="PATTERN",
            help="Take back an --exclude of earlier; may be repeated.",
        ),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option("--max-pixels", min=1, help="Leave out pictures of more pixels than this."),
    ] = None,
    assignments: _console.SetOption = None,
    config: _console.ConfigOption = None,
    seed: _console.SeedOption = 0,
    device: _console.DeviceOption = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=0, help="Threads that read and decode photos. [default: one a core]"
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Embed all photos again.")] = False,
) -> Made:
    """Make one's own photos searchable, or bring a gallery up to date; prints its folder.

    Photos are known by their content: renamed ones are not embedded again, deleted ones leave. What
    is left out (hidden, broken, huge, copies, no images) is counted, and listed in left-out.tsv.
    A stopped call continues with the same command.
    """
    from sbirctl.pipeline.gallery_model import ModelChoice
    from sbirctl.pipeline.index import index

    chosen = ModelChoice(model, weights, tuple(assignments or ()), config, seed, runtime)
    outcome = index(
        folders or [],
        name=name,
        model=chosen,
        engine=engine,
        forget=forget or [],
        exclude=exclude or [],
        include=include or [],
        max_pixels=max_pixels,
        workers=workers,
        device=device,
        fresh=fresh,
        report=_console.reporter(),
    )
    _console.reporter().note(_said(outcome))
    return made(outcome.place, **_facts(outcome))


def _facts(outcome: IndexOutcome) -> dict[str, object]:
    info = outcome.info
    left = Counter(one.kind for one in outcome.left)
    return {
        "gallery": info.name,
        "photos": info.photos,
        "embedded": outcome.embedded,
        "model": info.model,
        "dim": info.dim,
        "engine": info.engine,
        "left_out": dict(sorted(left.items())),
    }


def _said(outcome: IndexOutcome) -> str:
    from sbirctl.galleries.indexing import counted

    info = outcome.info
    text = f"{info.photos:,} photos, {outcome.embedded:,} of them new to the model {info.model}."
    if outcome.left:
        text += f" Left out: {counted(outcome.left)} (listed in left-out.tsv)."
    return text
