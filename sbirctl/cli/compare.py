"""`sbirctl compare`: whether one system is better than another on the same queries."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from sbirctl.cli import _console
from sbirctl.cli.evaluate import (
    BinaryOption,
    BitsOption,
    DefinitionOption,
    MemoryOption,
    MetricOption,
    PartsOption,
    RankDeviceOption,
    definition_for,
    ranking_options,
    unit_for,
)
from sbirctl.core.errors import UsageError

if TYPE_CHECKING:
    from sbirctl.retrieval.comparison import Comparison

panel = "Pictures and tables"


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|RUN",
            help="Two embeddings files or runs; with --against, all seeds of the first system.",
        ),
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="Embeddings or run of the second system, one for each seed; may be repeated.",
        ),
    ] = None,
    metric: MetricOption = None,
    definition: DefinitionOption = "standard",
    assignments: PartsOption = None,
    json: _console.JsonOption = False,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Also print wins and losses in every class.")
    ] = False,
    unit: Annotated[
        str,
        typer.Option(
            metavar="auto|class|query",
            help="What interval and test resample: class or query; auto: whichever the task names.",
        ),
    ] = "auto",
    binary: BinaryOption = None,
    bits: BitsOption = 64,
    memory: MemoryOption = "auto",
    device: RankDeviceOption = "cpu",
) -> None:
    """Compare two systems: difference, 95 % interval, paired randomisation test, wins and losses.

    Several files a side are seeds of one configuration: figures are their mean and standard
    deviation, and the test is on each query's mean over the seeds.
    """
    from sbirctl.pipeline.compare import compare

    if not against and len(files) != 2:
        raise UsageError(
            f"compare takes two files; there are {len(files)}.",
            "Name the seeds of the second system with --against.",
        )
    wanted = unit_for(unit, "--unit")
    ours, theirs = (files, against) if against else (files[:1], files[1:])
    found = compare(
        [_console.input_path(file) for file in ours],
        [_console.input_path(file) for file in theirs],
        metric or [],
        definition_for(definition, assignments or [], binary),
        ranking_options(binary, bits, memory, device),
        _console.reporter(),
        None if wanted == "auto" else wanted,
    )
    if json:
        _console.print_json({"schema": 1, "metrics": [dataclasses.asdict(c) for c in found]})
    elif per_class:
        rows = [[c.metric, name, *entry] for c in found for name, entry in c.classes.items()]
        _console.print_table(("metric", "class", "won", "lost", "difference"), rows)
    else:
        spread = ("low", "high", "p", "p Holm", "unit", "won", "lost")
        header = ("metric", "A", "± A", "B", "± B", "A - B", *spread)
        least = ("± A", "± B", "unit", "won", "lost", "p Holm", "low", "high")
        _console.print_table(header, [_row(c) for c in found], least=least)


def _row(c: Comparison) -> list[object]:
    spread = (c.low, c.high, c.p, c.p_holm, c.unit, c.won, c.lost)
    return [c.metric, c.a, c.a_std, c.b, c.b_std, c.difference, *spread]
