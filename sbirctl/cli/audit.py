"""`sbirctl audit`: how far apart the definitions are on one and the same ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from sbirctl.cli import _console
from sbirctl.cli._output import Listing, Table
from sbirctl.cli.evaluate import (
    BinaryOption,
    BitsOption,
    MemoryOption,
    RankDeviceOption,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sbirctl.retrieval.audit import Audit

panel = "Pictures and tables"


def command(
    files: Annotated[
        list[str] | None,
        _console.runs_argument("Embeddings or runs; - reads a path from stdin."),
    ] = None,
    label: _console.LabelOption = None,
    binary: BinaryOption = None,
    bits: BitsOption = 64,
    memory: MemoryOption = "auto",
    device: RankDeviceOption = "cpu",
) -> Listing:
    """Show one ranking under every published definition, and warn of known traps.

    `--binary` says which codes the definitions that rank by Hamming distance take.
    """
    from sbirctl.pipeline.audit import audit
    from sbirctl.pipeline.pictures import titles_of
    from sbirctl.retrieval.evaluation import Options

    options = Options.typed(binary, bits, memory, device)
    report = _console.reporter()
    found: list[tuple[Path, Audit]] = []
    places: list[Path | None] = [_console.input_path(file) for file in files or []]
    for where in places or [None]:
        found.append(audit(where, options=options, report=report))
    titles = titles_of([path for path, _ in found], label or ())
    rows = []
    for title, (_, one) in zip(titles, found, strict=True):
        lead = [title] if len(found) > 1 else []
        rows += [[*lead, name, *figures.values()] for name, figures in one.rows.items()]
        gaps = [None if s is None else s[1] - s[0] for s in one.spread.values()]
        rows.append([*lead, "(largest - smallest)", *gaps])
        rows.append([*lead, "(chance, standard)", *one.chance.values()])
        for warning in one.warnings:
            report.warn(f"{title}: {warning}" if lead else warning)
    header = [*(["run"] if len(found) > 1 else []), "definition", *found[0][1].spread]
    listed = [
        {
            "run": title,
            "file": path,
            "definitions": one.rows,
            "spread": one.spread,
            "chance": one.chance,
            "warnings": list(one.warnings),
        }
        for title, (path, one) in zip(titles, found, strict=True)
    ]
    return Listing({"rows": listed}, (Table(header, rows),), schema=2)
