"""`sbirctl curves`: training curves, precision along the ranking, ranks along the drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made
from sbirctl.cli.embed import LeaksOption
from sbirctl.core.errors import UsageError

panel = "Pictures and tables"
order = 4
_EACH, _MOST = 20, 200


def command(
    sources: Annotated[
        list[str] | None,
        _console.runs_argument("Runs or embeddings, to draw in one picture."),
    ] = None,
    output: _console.PictureOption = None,
    training: Annotated[
        bool,
        typer.Option(
            "--training",
            help="Draw losses, validation and unseen figures of the training logs instead.",
        ),
    ] = False,
    strokes: Annotated[
        Path | None,
        typer.Option(
            "--strokes",
            metavar="FILE|FOLDER",
            help="Draw how soon these drawings (.ndjson, .svg, coordinates) find their targets.",
        ),
    ] = None,
    captions: Annotated[
        bool,
        typer.Option(
            "--captions",
            help="Draw what captions add to their sketches, over the weight of the words; the run, "
            "or an exported model's folder, has to read words.",
        ),
    ] = False,
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="class|own",
            help="With --strokes: the first photo of the class, or the photo drawn from.",
        ),
    ] = "class",
    each: Annotated[
        int, typer.Option("--each", min=1, help="With --strokes: drawings of a class at most.")
    ] = _EACH,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            help="With --strokes or --captions: test the run on this data set.",
            autocompletion=_names.prepared,
        ),
    ] = "",
    split: Annotated[
        str,
        typer.Option(
            "--split",
            help="With --strokes or --captions: the classes tested: a list, or all.",
            autocompletion=_names.splits,
        ),
    ] = "",
    task: Annotated[
        str,
        typer.Option(
            "--task",
            help="With --captions and an exported model: the task. [default: cg]",
            autocompletion=_names.tasks,
        ),
    ] = "",
    leaks: LeaksOption = "refuse",
    device: _console.DeviceOption = "auto",
    most: Annotated[int, typer.Option("--max-k", min=2, help="Largest K of precision@K.")] = _MOST,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the bootstrap that the bands come from.")
    ] = 0,
    columns: _console.ColumnsOption = 2,
    label: _console.LabelOption = None,
) -> Made:
    """Draw precision over recall and at K, or with --training the logs; prints the path.

    With --strokes: the rank of the target after 10, 20, … 100 % of a drawing's lines, and the areas
    under the curves. With --captions: each sketch is asked together with its caption, both weighed.
    Bands are 95 % bootstrap intervals over queries. Beside the picture lies the same as CSV.
    """
    wide: Literal[1, 2] = 1 if columns == 1 else 2
    if strokes is not None and captions:
        raise UsageError("--strokes and --captions are two pictures.", "Leave one out.")
    if strokes is None:
        _refuse({"--target": target != "class", "--each": each != _EACH}, "--strokes")
    if not captions:
        _refuse({"--task": task}, "--captions")
    if strokes is None and not captions:
        of_a_model = {
            "--dataset": dataset,
            "--split": split,
            "--leaks": leaks != "refuse",
            "--device": device != "auto",
        }
        _refuse(of_a_model, "--strokes or --captions")
    if strokes is not None or training or captions:
        _refuse({"--max-k": most != _MOST}, "rankings")
    if strokes is not None or captions:
        _refuse({"--label": label}, "rankings and --training")
    found = [_console.input_path(source) for source in sources or []]
    if (strokes is not None or captions) and (training or len(found) > 1):
        name = "--captions" if captions else "--strokes"
        raise UsageError(f"{name} takes one run, without --training.", "Name one run.")
    if captions:
        from sbirctl.pipeline.text_curves import text_curves

        picture = text_curves(
            found[0] if found else None,
            output,
            dataset=dataset,
            task=task,
            split=split,
            leaks=leaks,
            device=device,
            columns=wide,
            report=_console.reporter(),
        )
    elif strokes is not None:
        from sbirctl.pipeline.stroke_curves import stroke_curves

        picture = stroke_curves(
            found[0] if found else None,
            strokes.expanduser(),
            output,
            target=target,
            per_class=each,
            dataset=dataset,
            split=split,
            leaks=leaks,
            device=device,
            seed=seed,
            columns=wide,
            report=_console.reporter(),
        )
    else:
        from sbirctl.pipeline.curves import curves

        picture = curves(
            found,
            output,
            kind="training" if training else "ranking",
            most=most,
            seed=seed,
            names=label or (),
            columns=wide,
            report=_console.reporter(),
        )
    return made(picture, values=picture.with_suffix(".csv"))


def _refuse(given: dict[str, object], owner: str) -> None:
    """Refuse options that this picture has no use for; by what they belong to."""
    for name, typed in given.items():
        if typed:
            raise UsageError(f"{name} goes with {owner}.", f"Leave out {name}.")
