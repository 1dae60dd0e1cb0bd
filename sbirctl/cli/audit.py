"""`sbirctl audit`: how far apart the definitions are on one and the same ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sbirctl.cli import _console
from sbirctl.cli.evaluate import (
    BinaryOption,
    BitsOption,
    MemoryOption,
    RankDeviceOption,
    ranking_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sbirctl.retrieval.audit import Audit

panel = "Pictures and tables"


def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|RUN|-",
            help="Embeddings or runs; - reads a path from stdin. [default: the newest run]",
            show_default=False,
        ),
    ] = None,
    json: _console.JsonOption = False,
    binary: BinaryOption = None,
    bits: BitsOption = 64,
    memory: MemoryOption = "auto",
    device: RankDeviceOption = "cpu",
) -> None:
    """Show one ranking under every published definition, and warn of known traps.

    `--binary` says which codes the definitions that rank by Hamming distance take.
    """
    from sbirctl.pipeline.audit import audit

    options = ranking_options(binary, bits, memory, device)
    report = _console.reporter()
    found: list[tuple[Path, Audit]] = []
    places: list[Path | None] = [_console.input_path(file) for file in files or []]
    for where in places or [None]:
        found.append(audit(where, options=options, report=report))
    if json:
        _console.print_json([_as_json(path, one) for path, one in found])
        return
    rows = []
    for path, one in found:
        lead = [_shown(path)] if len(found) > 1 else []
        rows += [[*lead, name, *figures.values()] for name, figures in one.rows.items()]
        gaps = [None if s is None else s[1] - s[0] for s in one.spread.values()]
        rows.append([*lead, "(largest - smallest)", *gaps])
        rows.append([*lead, "(chance, standard)", *one.chance.values()])
        for warning in one.warnings:
            report.warn(f"{_shown(path)}: {warning}" if lead else warning)
    lead = ["file"] if len(found) > 1 else []
    _console.print_table([*lead, "definition", *found[0][1].spread], rows)


def _as_json(path: Path, one: Audit) -> dict[str, object]:
    return {
        "schema": 1,
        "file": _shown(path),
        "definitions": one.rows,
        "spread": one.spread,
        "chance": one.chance,
        "warnings": list(one.warnings),
    }


def _shown(path: Path) -> str:
    from sbirctl.core.files import display_path

    return display_path(path)
