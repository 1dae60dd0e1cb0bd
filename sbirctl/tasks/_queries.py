"""Query sketches of the supervised task that were published, class by class."""

from __future__ import annotations

import os
from functools import cache

import numpy as np

from sbirctl.core.errors import MissingError
from sbirctl.core.files import display_path
from sbirctl.splits.lists import read_table
from sbirctl.store.reader import Store


@cache
def published_queries(dataset: str) -> dict[str, frozenset[str]]:
    """{class: names of its query sketches, without ending}; {} where nothing is published."""
    try:
        rows = read_table(dataset, "queries.tsv")
    except MissingError:
        return {}
    return {row["class"]: frozenset(row["sketches"].split()) for row in rows}


def published_first(store: Store, entries: np.ndarray, names: frozenset[str]) -> np.ndarray:
    """The entries with those of the published names first, or all of them as they are.

    Args:
        store: whose entries they are.
        entries: (n,) int64, sketches of one class in their order.
        names: the class's published queries. All of them must be there: a part of a data set has
            queries of its own.

    Returns:
        (n,) int64, and unchanged where a published query is missing.
    """
    named = np.array([_stem(store.items.path[entry]) in names for entry in entries], dtype=bool)
    if not names or named.sum() != len(names):
        return entries
    return np.concatenate([entries[named], entries[~named]])


def _stem(path: bytes) -> str:
    return os.path.splitext(display_path(path.rpartition(b"/")[2]))[0]
