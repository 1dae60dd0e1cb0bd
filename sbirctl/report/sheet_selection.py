"""Which queries a retrieval sheet shows, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sbirctl.core.errors import MismatchError, UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.core.seeds import rng_for
from sbirctl.retrieval.embeddings import Embeddings

Rule = Literal["random", "best", "worst", "median"]


@dataclass(frozen=True)
class Selection:
    """How queries are chosen.

    Attributes:
        rule: "random"; "best" or "worst" by average precision; or "median", of each class the
            query of median average precision (the lower one where two are in the middle).
        count: how many; for "median" at most so many classes, 0 for all.
        seed: of "random".
        classes: choose from these only; empty for all.
        ids: these queries and no others: row numbers, paths, or file names.
    """

    rule: Rule = "random"
    count: int = 10
    seed: int = 0
    classes: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    @property
    def needs_precision(self) -> bool:
        """Whether average precision decides."""
        return not self.ids and self.rule != "random"


def select(
    e: Embeddings, selection: Selection, precision: np.ndarray | None = None
) -> tuple[np.ndarray, str]:
    """The rows of the queries, in the order they are shown, and the rule in words.

    Args:
        precision: (Q,) average precision over the whole gallery, NaN where there is none; needed
            where `selection.needs_precision`.

    Raises:
        UsageError: an unknown class or query.
        MismatchError: no query is left to choose from.
    """
    if selection.ids:
        rows = np.array([_row_of(e, text) for text in selection.ids], dtype=np.int64)
        return rows, f"{len(rows)} named one by one"
    pool = np.flatnonzero(np.isin(e.query_label, _codes(e, selection.classes)))
    total = f"{len(pool):,} queries"
    if selection.classes:
        total += " of " + ", ".join(map(display_path, selection.classes))
    if selection.rule == "random":
        rng = rng_for("sheet", selection.seed)
        shown = selection.count or len(pool)
        chosen = np.sort(rng.permutation(pool)[:shown])
        chosen = chosen[np.argsort(e.query_label[chosen], kind="stable")]
        drawn = f"{len(chosen):,} of {total} at random, seed {selection.seed}"
        return _checked(chosen), drawn if len(chosen) < len(pool) else f"all {total}"
    assert precision is not None
    pool = _checked(pool[~np.isnan(precision[pool])])
    ranked = pool[np.argsort(precision[pool], kind="stable")]
    if selection.rule == "median":
        return _medians(e, ranked, selection.count, total)
    if selection.rule == "best":
        ranked = pool[np.argsort(-precision[pool], kind="stable")]
    chosen = ranked[: selection.count or len(ranked)]
    which = {"best": "highest", "worst": "lowest"}[selection.rule]
    return chosen, f"the {len(chosen):,} of {total} with the {which} average precision"


def _medians(e: Embeddings, ranked: np.ndarray, count: int, total: str) -> tuple[np.ndarray, str]:
    labels = e.query_label[ranked]
    codes = sorted(np.unique(labels), key=lambda code: e.classes[code])
    chosen = []
    for code in codes[: count or len(codes)]:
        own = ranked[labels == code]
        chosen.append(own[(len(own) - 1) // 2])
    rule = f"of {total} the one of median average precision in each class"
    if len(chosen) < len(codes):
        rule += f" (the first {len(chosen)} of {len(codes)} classes)"
    return np.array(chosen, dtype=np.int64), rule


def _codes(e: Embeddings, classes: Sequence[str]) -> list[int]:
    for name in classes:
        if name not in e.classes:
            raise UsageError(f"There is no class {display_path(name)!r}.", nearest(name, e.classes))
    return [e.classes.index(name) for name in classes] or list(range(len(e.classes)))


def _row_of(e: Embeddings, text: str) -> int:
    if text.isascii() and text.isdigit():
        if int(text) >= len(e.query):
            raise UsageError(f"There is no query {text}.", f"Rows run to {len(e.query) - 1}.")
        return int(text)
    if e.query_path is None:
        raise UsageError(
            f"The embeddings name no files, so {display_path(text)!r} cannot be looked up.",
            "Name queries by row number.",
        )
    import os

    wanted = os.fsencode(text)
    found = [i for i, path in enumerate(e.query_path) if _is(bytes(path), wanted)]
    if not found:
        raise UsageError(
            f"There is no query {display_path(text)!r}.",
            f"They are called like {display_path(bytes(e.query_path[0]))!r}.",
        )
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} queries are called {display_path(text)!r}.",
            f"Give the path, like {display_path(bytes(e.query_path[found[0]]))!r}.",
        )
    return found[0]


def _is(path: bytes, wanted: bytes) -> bool:
    name = path.rpartition(b"/")[2]
    return wanted in (path, name, name.rpartition(b".")[0])


def _checked(rows: np.ndarray) -> np.ndarray:
    if not len(rows):
        raise MismatchError("No query is left to choose from.", "Choose other classes.")
    return rows
