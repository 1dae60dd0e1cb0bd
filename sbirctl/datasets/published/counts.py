"""Comparing what was found with what the publisher says a data set holds."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sbirctl.core.errors import few
from sbirctl.store.raw import RawItem

_SHOWN = 5

Counts = dict[str, dict[str, int]]  # {class: {kind: number of files}}


@dataclass(frozen=True)
class CountComparison:
    """What differs from the published counts, for people and for the manifest."""

    lines: tuple[str, ...]
    facts: Mapping[str, Any]


def published_counts(dataset: str) -> Counts:
    """The counts published for a data set, from the table beside its reader.

    An empty cell is a count nobody published.
    """
    text = files("sbirctl.datasets").joinpath(f"{dataset}.tsv").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = csv.DictReader(lines, delimiter="\t")
    return {row.pop("class"): {kind: int(n) for kind, n in row.items() if n} for row in rows}


def kind_of(item: RawItem) -> str:
    """Which published number counts an item: sketches, photos, or extended photos."""
    if item.modality == "sketch":
        return "sketches"
    return "extended" if item.origin == "extended" else "photos"


def compare(
    items: Iterable[RawItem],
    published: Counts,
    names: Mapping[str, str],
    totals: Mapping[str, int] | None = None,
) -> CountComparison:
    """Compare files found with files published.

    Args:
        items: all files found, readable or not.
        published: counts by class and kind.
        names: kinds in the order to be told, with how a person calls them.
        totals: published totals of kinds whose counts by class are not all known.
    """
    found: Counter[tuple[str, str]] = Counter((i.class_name, kind_of(i)) for i in items)
    classes = {class_name for class_name, _ in found}
    have = {k: sum(n for (_, kind), n in found.items() if kind == k) for k in names}
    want = {k: sum(counts.get(k, 0) for counts in published.values()) for k in names}
    want |= totals or {}
    less: list[str] = []
    more: list[str] = []
    for class_name, counts in published.items():
        for kind in names:
            number, expected = found[class_name, kind], counts.get(kind)
            if expected is None or number == expected:
                continue
            if class_name in classes and have[kind]:
                text = f"{class_name} ({number:,} of {expected:,} {names[kind]})"
                (less if number < expected else more).append(text)
    missing, unknown = sorted(set(published) - classes), sorted(classes - set(published))
    lines = [_summary(have, want, names, less, missing, len(published))]
    if less and have != want and len(less) <= 2 * _SHOWN:
        lines.append(f"Fewer files than published: {few(less, _SHOWN)}.")
    for label, which in (
        ("More files than published", more),
        ("Classes without any file", missing),
        ("Classes that are none of the data set's", unknown),
    ):
        if which:
            lines.append(f"{label}: {few(which, _SHOWN)}.")
    facts = {"found": have, "published": want, "missing": missing, "unknown": unknown}
    return CountComparison(tuple(lines), facts)


def _summary(
    have: Mapping[str, int],
    want: Mapping[str, int],
    names: Mapping[str, str],
    less: list[str],
    missing: list[str],
    classes: int,
) -> str:
    told = [
        f"{have[k]:,} of {want[k]:,} {name}" if have[k] else f"none of {want[k]:,} {name}"
        for k, name in names.items()
    ]
    text = ", ".join([*told, f"{classes - len(missing)} of {classes} classes"])
    complete = not less and not missing and all(have[k] in (0, want[k]) for k in names)
    fewer = less or missing or any(have[k] < want[k] for k in names)
    return f"{text}: {'as published' if complete else 'a subset' if fewer else 'more'}."
