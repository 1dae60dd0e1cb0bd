"""`sbirctl demo`: see the whole pipeline work, without data, weights or network."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from sbirctl.cli import _console
from sbirctl.cli._output import Listing, Table

panel = "What there is"
order = 1


def command(
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the drawn pictures and of the training.")
    ] = 0,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Number of epochs, instead of the demo's own."),
    ] = None,
    each: Annotated[
        int | None,
        typer.Option(
            "--each",
            min=2,
            help="How many photos, and as many sketches, to draw of each class. [default: 40]",
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, whatever was made before.")
    ] = False,
) -> Listing:
    """Draw a data set, train a small network on it from random values, and score unseen classes.

    Needs neither network nor files and about two minutes. Prints mAP@all and prec@10 of the
    untrained network, the trained one and chance, and the paths of what was made.
    """
    from sbirctl.pipeline.demo import METRICS, demo

    outcome = demo(
        seed=seed, epochs=epochs, per_class=each, fresh=fresh, report=_console.reporter()
    )
    title = (
        f"{outcome.queries} sketches of {outcome.classes} unseen classes"
        f" against {outcome.gallery} photos"
    )
    rows = [(name, *(values[m] for m in METRICS)) for name, values in outcome.rows.items()]
    tables = (
        Table(("network", *METRICS), rows, title),
        Table(("made", "path"), list(outcome.paths.items())),
    )
    paths = {name: shlex.quote(str(path)) for name, path in outcome.paths.items()}
    _console.reporter().note(
        f"To search: sbirctl index {paths['photos']} --gallery demo --model {paths['run']}, then\n"
        f"sbirctl search -g demo {paths['sketches']}/*/0000.png --sheet found.png, "
        "or sbirctl serve -g demo"
    )
    sizes = {name: getattr(outcome, name) for name in ("queries", "gallery", "classes")}
    return Listing({"seed": seed, "metrics": outcome.rows, **sizes, **outcome.paths}, tables)
