"""Metrics by name and what each is for one query, given the ranks of its relevant photos."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import UsageError, nearest
from sbirctl.retrieval.definitions import Definition

DEFAULT = ("map@all", "map@200", "prec@100", "prec@200")
_NAMES = {
    "map": "map",
    "prec": "prec",
    "precision": "prec",
    "p": "prec",
    "recall": "recall",
    "r": "recall",
    "acc": "acc",
    "top": "acc",
}


@dataclass(frozen=True)
class Metric:
    """A metric and its cut-off.

    Attributes:
        kind: "map", "prec", "recall" or "acc".
        k: length of the list, None for the whole gallery.
    """

    kind: str
    k: int | None

    def __str__(self) -> str:
        return f"{self.kind}@{'all' if self.k is None else self.k}"


@dataclass(frozen=True)
class Ranks:
    """Where n queries of one class find their R relevant photos among N; R >= 1.

    Attributes:
        rank: (n, R) int32, ascending ranks from 1, equal scores in gallery order.
        upto: (n, R) int32, number of photos with a score at least as high as that of the i-th
            relevant photo; equal to `rank` where no score is tied.
        positive: (n,) int32, relevant photos with a score > 0.
        gallery: N.
    """

    rank: np.ndarray
    upto: np.ndarray
    positive: np.ndarray
    gallery: int

    @property
    def relevant(self) -> int:
        """R."""
        return self.rank.shape[1]

    @property
    def tied(self) -> np.ndarray:
        """(n, R) int32: number of relevant photos with a score at least as high."""
        n, R = self.upto.shape
        last = np.ones((n, R), dtype=bool)
        last[:, :-1] = self.upto[:, 1:] != self.upto[:, :-1]
        own = np.where(last, np.arange(1, R + 1, dtype=np.int32), np.int32(R))
        return np.minimum.accumulate(own[:, ::-1], axis=1)[:, ::-1]


def parse(text: str) -> Metric:
    """`map@all`, `map@200`, `prec@100` (also `p@100`, `precision@100`), `recall@10`, `acc@1`.

    Raises:
        UsageError: no such metric, or no positive whole number behind the @.
    """
    name, _, cut = text.strip().lower().partition("@")
    if name not in _NAMES:
        known = ("map@all", "map@200", "prec@100", "recall@100", "acc@1")
        raise UsageError(f"There is no metric {text!r}.", nearest(text, known))
    kind = _NAMES[name]
    if kind == "map" and cut == "all":
        return Metric(kind, None)
    if not re.fullmatch("[1-9][0-9]{0,8}", cut):
        raise UsageError(f"The metric {text!r} has no cut-off.", f"Write {kind}@100, for example.")
    return Metric(kind, int(cut))


def per_query(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    """(n,) float64: the metric of each query; NaN where the definition leaves the query out."""
    return _MEASURES[metric.kind](metric, definition, ranks)


def _placed(definition: Definition, ranks: Ranks) -> tuple[np.ndarray, np.ndarray | None]:
    """Ranks after the tie rule, and which relevant photos count (None: all)."""
    rank = ranks.rank
    if definition.ties == "pessimistic":
        places = np.arange(1, ranks.relevant + 1, dtype=np.int32)
        rank = ranks.upto - ranks.tied + places
    if definition.nonpositive == "count":
        return rank, None
    return rank, np.arange(ranks.relevant) < ranks.positive[:, None]


def _hits(rank: np.ndarray, counted: np.ndarray | None, k: int) -> np.ndarray:
    """(n, min(k, R)) bool: whether the i-th relevant photo is among the first k."""
    width = min(k, rank.shape[1])
    inside = rank[:, :width] <= k
    return inside if counted is None else inside & counted[:, :width]


def _average_precision(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    rank, counted = _placed(definition, ranks)
    k = ranks.gallery if metric.k is None else metric.k
    hit = _hits(rank, counted, k)
    found = np.count_nonzero(hit, axis=1)
    precision = _precision_at_hits(definition, ranks, rank, hit, k)
    relevant = np.full(len(rank), ranks.relevant)
    if counted is not None:
        relevant = ranks.positive.astype(np.int64)
    divisor = {
        "min": np.minimum(k, relevant),
        "R": relevant,
        "hits": found,
        "K": np.full(len(rank), k),
    }["R" if metric.k is None else definition.denominator]
    value = np.divide(precision.sum(axis=1), divisor, out=np.zeros(len(rank)), where=divisor > 0)
    return _left_out(definition, value, found)


def _precision_at_hits(
    definition: Definition, ranks: Ranks, rank: np.ndarray, hit: np.ndarray, k: int
) -> np.ndarray:
    """(n, width) float64: precision at each hit, 0 where the photo is outside the list."""
    width = hit.shape[1]
    if definition.ties == "grouped":
        # scikit-learn moves through distinct scores: a group's hits share the precision at its end
        found = np.count_nonzero(hit, axis=1)
        above = np.minimum(ranks.tied[:, :width], found[:, None])
        precision = above / np.minimum(ranks.upto[:, :width], k)
    else:
        precision = np.arange(1, width + 1) / rank[:, :width]
    if not hit.all():
        precision *= hit
    if definition.shape == "voc":
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        if not hit.all():
            precision = precision * hit
    return precision


def _precision(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    assert metric.k is not None
    rank, counted = _placed(definition, ranks)
    if definition.precision == "next":
        exact = rank == metric.k + 1
        return (exact if counted is None else exact & counted).any(axis=1).astype(np.float64)
    found = np.count_nonzero(_hits(rank, counted, metric.k), axis=1)
    divisor = {
        "K": metric.k,
        "min": min(metric.k, ranks.relevant),
        "list": min(metric.k, ranks.gallery),
    }[definition.precision]
    return _left_out(definition, found / divisor, found)


def _recall(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    assert metric.k is not None
    rank, counted = _placed(definition, ranks)
    found = np.count_nonzero(_hits(rank, counted, metric.k), axis=1)
    return _left_out(definition, found / ranks.relevant, found)


def _left_out(definition: Definition, value: np.ndarray, found: np.ndarray) -> np.ndarray:
    return np.where(found > 0, value, np.nan) if definition.no_hits == "drop" else value


def own_photo(metric: Metric, rank: np.ndarray) -> np.ndarray:
    """`acc@K` of each query: whether its own photo is among the first K.

    Args:
        rank: (n,) rank of the photo the sketch was drawn from, every other photo of equal score
            before it; 0 where that photo is not in the gallery (such queries are NaN).
    """
    assert metric.k is not None
    return np.where(rank > 0, (rank <= metric.k).astype(np.float64), np.nan)


_MEASURES: dict[str, Callable[[Metric, Definition, Ranks], np.ndarray]] = {
    "map": _average_precision,
    "prec": _precision,
    "recall": _recall,
}


def explain(metric: Metric, definition: Definition) -> str:
    """One line that says what a figure is."""
    k = "N" if metric.k is None else str(metric.k)
    if metric.kind == "acc":
        return f"share of queries whose own photo is among the first {k}; ties count against"
    if metric.kind == "prec":
        by = {"K": k, "min": f"min({k}, R)", "list": f"min({k}, N)"}
        what = (
            f"relevance of rank {metric.k + 1 if metric.k else ''}"
            if definition.precision == "next"
            else f"hits in the first {k} / {by[definition.precision]}"
        )
    elif metric.kind == "recall":
        what = f"hits in the first {k} / R"
    else:
        by = {"min": f"min({k}, R)", "R": "R", "hits": "hits in the list", "K": k}
        shape = {"textbook": "textbook AP", "voc": "VOC-interpolated AP"}[definition.shape]
        over = "R" if metric.k is None else by[definition.denominator]
        what = f"{shape} / {over}"
    ties = {"gallery": "gallery order", "grouped": "grouped", "pessimistic": "last"}
    return (
        f"{what}; mean over {'queries' if definition.average == 'query' else 'classes'}; "
        f"{definition.similarity}; ties: {ties[definition.ties]}"
    )
