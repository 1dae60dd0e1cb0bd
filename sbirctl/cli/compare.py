"""`sbirctl compare`: whether one system is better than another on the same queries."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Table
from sbirctl.cli.evaluate import (
    BinaryOption,
    BitsOption,
    DefinitionOption,
    MemoryOption,
    MetricOption,
    PartsOption,
    RankDeviceOption,
    definition_for,
    unit_for,
)
from sbirctl.core.errors import UsageError

if TYPE_CHECKING:
    from sbirctl.retrieval.comparison import Comparison

panel = "Pictures and tables"

_BETWEEN = "vs"  # a file of that name is ./vs


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|RUN",
            autocompletion=_names.runs,
            help="Two embeddings files or runs; or the seeds of one system, the word vs, and the "
            "seeds of the other.",
        ),
    ],
    metric: MetricOption = None,
    definition: DefinitionOption = "standard",
    assignments: PartsOption = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Print a row for every class.")
    ] = False,
    unit: Annotated[
        str,
        typer.Option(
            metavar="auto|class|query",
            help="What interval and test resample: class or query; auto: whichever the task names.",
        ),
    ] = "auto",
    label: _console.LabelOption = None,
    binary: BinaryOption = None,
    bits: BitsOption = 64,
    memory: MemoryOption = "auto",
    device: RankDeviceOption = "cpu",
) -> Listing:
    """Compare two systems: difference, 95 % interval, paired randomisation test, wins and losses.

    `compare A B`, or `compare A1 A2 vs B1 B2`: several files a side are seeds of one system, whose
    figures are their mean and standard deviation; the test is on each query's mean over the seeds.
    """
    from sbirctl.pipeline.compare import compare
    from sbirctl.retrieval.evaluation import Options

    wanted = unit_for(unit, "--unit")
    sides = [[_console.input_path(file) for file in side] for side in _sides(files)]
    found = compare(
        sides[0],
        sides[1],
        metric or [],
        definition_for(definition, assignments or [], binary),
        Options.typed(binary, bits, memory, device),
        _console.reporter(),
        None if wanted == "auto" else wanted,
        label or (),
    )
    title = "; ".join(
        f"{letter}: {name}{f' ({len(files)} seeds)' if len(files) > 1 else ''}"
        for letter, (name, files) in zip("AB", found.systems, strict=True)
    )
    if per_class:
        cells = [[c.metric, name, *entry] for c in found.rows for name, entry in c.classes.items()]
        cells += [[c.metric, "(all)", c.won, c.lost, c.difference] for c in found.rows]
        table = Table(("metric", "class", "won", "lost", "difference"), cells, title)
    else:
        spread = ("low", "high", "p", "p Holm", "unit", "won", "lost")
        header = ("metric", "A", "± A", "B", "± B", "A - B", *spread)
        least = ("± A", "± B", "unit", "won", "lost", "p Holm", "low", "high")
        table = Table(header, [_row(c) for c in found.rows], title, least)
    systems = [{"name": name, "files": list(files)} for name, files in found.systems]
    rows = [dataclasses.asdict(c) for c in found.rows]
    return Listing({"systems": systems, "rows": rows}, (table,), schema=2)


def _sides(files: list[str]) -> tuple[list[str], list[str]]:
    """The files of two systems.

    Raises:
        UsageError: the words do not make two.
    """
    if files.count(_BETWEEN) == 1:
        place = files.index(_BETWEEN)
        return files[:place], files[place + 1 :]
    if len(files) != 2:
        raise UsageError(
            f"compare takes two systems; {len(files)} files are named.",
            "Part the seeds of two systems by vs: sbirctl compare A1 A2 vs B1 B2.",
        )
    return files[:1], files[1:]


def _row(c: Comparison) -> list[object]:
    spread = (c.low, c.high, c.p, c.p_holm, c.unit, c.won, c.lost)
    return [c.metric, c.a, c.a_std, c.b, c.b_std, c.difference, *spread]
