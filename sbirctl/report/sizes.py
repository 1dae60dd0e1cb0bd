"""How many queries and photos published work has: a part of a data set is no match for it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sbirctl.retrieval.audit import Sizes
from sbirctl.splits.resolve import known_classes, published

if TYPE_CHECKING:
    from sbirctl.datasets.published.counts import Counts

UNKNOWN: Sizes = (0, ())


def published_sizes(task: str, dataset: str, split: str) -> Sizes:
    """Queries and possible galleries of a protocol, 0 and () where not known.

    A data set with extended photos has two galleries: with the original photos, and without. Where
    the photos of some class are not published, a list may state their sum (`# photos:`).
    """
    from sbirctl.datasets import DATASETS

    if dataset not in DATASETS:  # nor is a file read that a foreign file names
        return UNKNOWN
    if task == "sbir":
        return _supervised(dataset)
    if task in ("cg", "cd"):
        listed = next((one for one in published(dataset) if one.name == split), None)
        if listed is None:
            return UNKNOWN
        queries, galleries = _counted(dataset, listed.unseen)
        stated = int(listed.header.get("photos", 0))
        return queries, galleries or ((stated,) if stated else ())
    return UNKNOWN


def _supervised(dataset: str) -> Sizes:
    from sbirctl.tasks.sbir import PUBLISHED

    if dataset not in PUBLISHED:
        return UNKNOWN
    classes = known_classes(dataset)
    return PUBLISHED[dataset][0] * len(classes), _counted(dataset, classes)[1]


def _counted(dataset: str, classes: Collection[str]) -> Sizes:
    """From the table of published counts, where the data set has one."""
    from sbirctl.datasets.published.counts import published_counts

    try:
        counts = published_counts(dataset)
    except FileNotFoundError:
        return UNKNOWN
    sketches, photos, extended = (
        _sum(counts, kind, classes) for kind in ("sketches", "photos", "extended")
    )
    galleries = (photos + extended if photos and extended else 0, extended or photos)
    return sketches, tuple(n for n in galleries if n)


def _sum(counts: Counts, kind: str, classes: Collection[str]) -> int:
    """Over the classes; 0 where the table does not have the number of each."""
    numbers = [counts.get(name, {}).get(kind, 0) for name in classes]
    return sum(numbers) if all(numbers) else 0
