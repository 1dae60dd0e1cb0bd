"""`sbirctl robustness`: what becomes of a run's figure when its sketches are drawn otherwise."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made
from sbirctl.cli.embed import LeaksOption, TestDatasetOption, TestSplitOption

panel = "Pictures and tables"
order = 5


def command(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            autocompletion=_names.runs,
            help="A run or a checkpoint; - reads its path from stdin. [default: the newest run]",
        ),
    ] = "",
    output: _console.PictureOption = None,
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            "-m",
            help="What is measured, such as map@all or acc@1.",
            autocompletion=_names.metrics,
        ),
    ] = "map@all",
    queries: Annotated[
        int, typer.Option("--queries", min=1, help="Queries at most; of more a random part.")
    ] = 500,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the part and of all that is random.")
    ] = 0,
    dataset: TestDatasetOption = "",
    split: TestSplitOption = "",
    leaks: LeaksOption = "refuse",
    device: _console.DeviceOption = "auto",
) -> Made:
    """Draw the robustness card: line width, missing strokes, rotation, noise, scale, mirrored.

    The query sketches are changed, the gallery stays. Beside the picture lies the same as JSON.
    """
    from sbirctl.pipeline.robustness import robustness

    picture = robustness(
        _console.input_path(run) if run else None,
        output,
        metric=metric,
        queries=queries,
        seed=seed,
        dataset=dataset,
        split=split,
        leaks=leaks,
        device=device,
        report=_console.reporter(),
    )
    return made(picture, values=picture.with_suffix(".json"))
