"""Published figures of all systems, from the ledger and the models' cards, and what is odd in them.

The ledger (`ledger.toml` beside this file) holds systems without a model here; the cards hold the
tables of the papers whose systems are here, with the rows they quote.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from sbirctl.core.errors import CorruptError
from sbirctl.datasets.published.counts import published_counts
from sbirctl.models import MODELS, Column, Table, load_card
from sbirctl.report import markdown
from sbirctl.retrieval.definitions import PRESETS
from sbirctl.splits.resolve import find, known_classes

ROUNDING = 0.001
"""Two figures printed with three digits can differ by this much and still be equal."""
FEWEST = 20
"""Test classes of the smallest published protocol of a data set with extended photos."""

HEADER = (
    "system", "venue", "task", "data set", "split", "figures", "definition", "backbone",
    "checkpoint chosen on", "flag", "read in",
)  # fmt: skip


@dataclass(frozen=True)
class LedgerRow:
    """One published system on one protocol.

    Attributes:
        system, venue: as cited.
        task: "cg", "gzs", "fg", "cd" or "sbir".
        dataset: whose photos are searched; `trained_on` is another one for "cd".
        split: the list of test classes as `sbirctl splits` names it, "" where not stated.
        split_status: "stated", "inferred" or "unpublished" (the list named is the nearest).
        figures: metric to value, as fractions of 1.
        definition: of the figures, a name of `retrieval.definitions`, "" where not stated.
        code: the definition the system's released code computes, "" where none was read.
        backbone, pretraining, input_size: "" where not stated.
        chosen_on: the data that chose the checkpoint, "" where not stated.
        trained: False for features as published.
        source: where the figures were read.
        quoted_by: the table of another paper they were read in, "" for the system's own.
        original: of a quoted row, where the ledger has the system's own figures (they differ, else
            the quoted row is left out), "" for nowhere.
        quoted_in: tables that quote just these figures.
        model, preset: of a card's row, whose card and which preset makes it, "" for none.
        column: of a card's row, its whole protocol.
    """

    system: str
    task: str
    dataset: str
    figures: Mapping[str, float]
    source: str
    venue: str = ""
    trained_on: str = ""
    split: str = ""
    split_status: str = "stated"
    definition: str = ""
    code: str = ""
    backbone: str = ""
    pretraining: str = ""
    input_size: str = ""
    chosen_on: str = ""
    trained: bool = True
    quoted_by: str = ""
    original: str = ""
    quoted_in: tuple[str, ...] = ()
    model: str = ""
    preset: str = ""
    column: Column | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """What the row's own figures say against themselves, in words."""
        return tuple(_above_precision(self))


@cache
def read_ledger() -> tuple[LedgerRow, ...]:
    """Every row: the ledger's first, then those of the cards, without what both have.

    A quoted row leads to the system's own.

    Raises:
        CorruptError: the ledger or a card cannot be used.
    """
    own = tuple(_from_ledger())
    have = {_key(row) for row in own}
    codes = {r.system.lower(): r.code for r in own if r.code}
    cards = (
        replace(row, code=codes.get(row.system.partition(",")[0].lower(), ""))
        for name in MODELS.names()
        for table in load_card(name).tables
        for row in _from_table(name, table)
    )
    found = list(own)
    quoted: dict[tuple[object, ...], list[str]] = {}
    for row in cards:
        if _key(row) not in have:
            found.append(row)
        elif row.quoted_by:
            quoted.setdefault(_key(row), []).append(row.quoted_by)
    originals: dict[tuple[str, ...], str] = {}
    for row in found:
        if not row.quoted_by:
            originals.setdefault(_of_system(row), row.source)
    return tuple(
        replace(row, original=originals.get(_of_system(row), ""))
        if row.quoted_by
        else replace(row, quoted_in=tuple(quoted.get(_key(row), ())))
        for row in found
    )


def cells(row: LedgerRow) -> list[str]:
    """The values under `HEADER`."""
    where = f"{row.trained_on}→{row.dataset}" if row.trained_on else row.dataset
    split = row.split.rpartition("/")[2] or "not stated"
    known = {"inferred": f"{split} (inferred)", "unpublished": "not published"}
    figures = ", ".join(f"{name} {value:.4g}" for name, value in row.figures.items())
    definition = row.definition or (f"not stated (its code: {row.code})" if row.code else "")
    source = row.source
    if row.quoted_by:
        read = "" if row.source == row.quoted_by else f": {row.source}"
        source = f"quoted in {row.quoted_by}{read}; original: {row.original or 'not here'}"
    elif row.quoted_in:
        source += f"; quoted in {', '.join(row.quoted_in)}"
    return [
        row.system,
        row.venue,
        row.task,
        where,
        known.get(row.split_status, split),
        figures,
        definition or "not stated",
        row.backbone or "not stated",
        row.chosen_on or "not stated",
        "; ".join(row.flags),
        source,
    ]


def page(rows: Collection[LedgerRow]) -> str:
    """The documentation page, as Markdown."""
    flagged = sum(bool(row.flags) for row in rows)
    said = (
        f"{len(rows)} rows, {flagged} of them flagged. A flag is computed from the row itself: "
        "AP@K over min(K, R) cannot exceed precision@K by more than test classes with fewer than K "
        "photos allow (a query's sum of precisions is at most its number of hits). Printed by "
        "`sbirctl ledger --format md`; the figures are fractions of 1, as printed."
    )
    lines = ["# Published figures", "", said, ""]
    lines += markdown.table(HEADER, [cells(row) for row in rows])
    return "\n".join(lines) + "\n"


def _key(row: LedgerRow) -> tuple[object, ...]:
    """What makes two entries one."""
    return row.system.lower(), row.task, row.dataset, row.split, tuple(sorted(row.figures.items()))


def _of_system(row: LedgerRow) -> tuple[str, ...]:
    """System and where it is measured, whatever the figures."""
    return row.system.partition(",")[0].lower(), row.task, row.trained_on, row.dataset


def _from_ledger() -> Iterator[LedgerRow]:
    text = files("sbirctl.report").joinpath("ledger.toml").read_text("utf-8")
    try:
        data = tomllib.loads(text)
        sources = {s["id"]: s["text"] for s in data["sources"]}
        for entry in data["rows"]:
            shared: dict[str, Any] = dict(entry)
            protocols = shared.pop("protocols")
            shared["source"] = sources[shared["source"]]
            for protocol in protocols:
                yield LedgerRow(**shared, **protocol)
    except (LookupError, TypeError, ValueError) as error:
        raise CorruptError(f"The ledger cannot be used: {error}.") from error


def _from_table(model: str, table: Table) -> Iterator[LedgerRow]:
    """Rows of a card's table, one a protocol; columns of other quantities are left out."""
    systems = any(
        dict(zip(table.keys, r, strict=False)).get("origin") == "quoted" for r in table.rows
    )
    for row in table.rows:
        keys = dict(zip(table.keys, row, strict=False))
        named = str(keys["method"])
        system = named if systems or named == table.ours else f"{table.ours} ({named})"
        venue = str(keys.get("venue", keys.get("year", "")))
        system += f", {keys['dim']} dimensions" if "dim" in keys else ""
        quoted = keys.get("origin") == "quoted"
        by_protocol: dict[tuple[str, str, str], dict[str, float]] = {}
        first: dict[tuple[str, str, str], Column] = {}
        for column, value in zip(table.columns, row[len(table.keys) :], strict=True):
            if column.metric and not isinstance(value, str):
                at = (column.dataset, column.split, column.trained_on)
                by_protocol.setdefault(at, {})[column.metric] = float(value)
                first.setdefault(at, column)
        for at, figures in by_protocol.items():
            yield LedgerRow(
                system=system,
                venue=venue,
                task=table.task,
                dataset=at[0],
                split=at[1],
                trained_on=at[2],
                split_status=first[at].split_status if at[1] else "unpublished",
                figures=figures,
                definition="" if quoted else table.definition,
                source=table.source,
                quoted_by=table.source if quoted else "",
                model=model,
                preset=keys.get("preset", ""),
                column=first[at],
            )


def _above_precision(row: LedgerRow) -> Iterator[str]:
    """AP@K further above precision@K than AP over min(K, R) can be."""
    for name, value in row.figures.items():
        kind, _, depth = name.partition("@")
        precision = row.figures.get(f"prec@{depth}")
        if kind != "map" or not depth.isdigit() or precision is None:
            continue
        allowed = _allowance(row, int(depth))
        if allowed is None or value <= precision + allowed + ROUNDING:
            continue
        told = f"mAP@{depth} {value:.4g} above P@{depth} {precision:.4g}"
        if row.task == "gzs":
            told += " (where all photos of a class are searched)"
        known = row.definition or row.code
        if known and PRESETS[known].denominator == "hits":
            yield f"{told}: divides by hits ({known}), not AP over min(K, R)"
        else:
            yield f"{told}: not AP over min(K, R); definition unknown or misprint"


def _allowance(row: LedgerRow, depth: int) -> float | None:
    """How far AP@depth over min(depth, R) can lie above precision@depth; None where not known.

    Of a query with R relevant photos and h hits among the first K, the sum of precisions is at most
    h. So AP@K - P@K ≤ h / min(K, R) - h / K ≤ 1 - R / K where R < K, and ≤ 0 elsewhere; the mean
    over queries weights each class by its sketches. R is taken from the published counts, of the
    extended photos where there are some. Without a published list the classes that lack photos
    are taken to be tested among `FEWEST` classes.
    """
    try:
        counts = published_counts(row.dataset)
    except FileNotFoundError:
        return None
    listed = bool(row.split) and row.split_status != "unpublished" and row.task != "gzs"
    classes = find("", row.split).unseen if listed else known_classes(row.dataset)
    photos = [counts.get(c, {}).get("extended") or counts.get(c, {}).get("photos") for c in classes]
    if not photos or None in photos:
        return None
    lacking = [max(0.0, 1 - (n or 0) / depth) for n in photos]
    if not listed:
        return sum(lacking) / FEWEST
    sketches = [counts[c].get("sketches", 1) for c in classes]
    return sum(w * x for w, x in zip(sketches, lacking, strict=True)) / sum(sketches)
