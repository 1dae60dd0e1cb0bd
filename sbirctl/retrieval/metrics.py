"""Metrics by name and what each is for one query, given the ranks of its relevant photos."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import UsageError, nearest
from sbirctl.core.registry import EntryPoints, refuse_another
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.ranks import Ranks, hits, left_out, placed

DEFAULT = ("map@all", "map@200", "prec@100", "prec@200")


@dataclass(frozen=True)
class Metric:
    """A metric and its cut-off.

    Attributes:
        kind: name of a measure, a key of `MEASURES`.
        k: length of the list, None for the whole gallery.
    """

    kind: str
    k: int | None

    def __str__(self) -> str:
        return f"{self.kind}@{'all' if self.k is None else self.k}"


PerQuery = Callable[[Metric, Definition, Ranks], np.ndarray]


@dataclass(frozen=True)
class Measure:
    """One kind of metric; a new one is one function under the decorator `measure`.

    Attributes:
        kind: what a person types before the @.
        aliases: other names for it.
        summary: what it is, for `sbirctl metrics`.
        describe: (metric, definition) to the formula in words.
        value: (n,) float64 of n queries, NaN where the definition leaves one out; None for the one
            that asks for a single photo (`own_photo`).
        allows_all: whether `@all` means something.
        allows_k: whether `@K` does.
    """

    kind: str
    aliases: tuple[str, ...]
    summary: str
    describe: Callable[[Metric, Definition], str]
    value: PerQuery | None
    allows_all: bool = False
    allows_k: bool = True

    def metrics(self, cuts: Iterable[int]) -> list[Metric]:
        """It for the whole gallery and with these cut-offs, as far as it takes them."""
        whole = [Metric(self.kind, None)] if self.allows_all else []
        return whole + [Metric(self.kind, k) for k in cuts if self.allows_k]


MEASURES: dict[str, Measure] = {}
"""By kind: those of this file and those of other packages and files that were loaded."""
_OUTSIDE = EntryPoints("metric", "sbirctl.metrics")


def all_measures() -> dict[str, Measure]:
    """`MEASURES` with those that installed packages announce.

    Raises:
        MissingError, UsageError: one of them is not there.
    """
    for name, point in _OUTSIDE.all().items():
        if name not in MEASURES:
            _OUTSIDE.load(point)
            if name not in MEASURES:
                raise _OUTSIDE.nothing(point)
    return MEASURES


def measure(
    kind: str,
    *aliases: str,
    summary: str,
    describe: Callable[[Metric, Definition], str],
    allows_all: bool = False,
    allows_k: bool = True,
) -> Callable[[PerQuery], PerQuery]:
    """Make a function of (metric, definition, ranks) the metric `kind@K`.

    Raises:
        UsageError: the name or one of the aliases is taken, or none that `parse` would read.
    """

    def register(value: PerQuery) -> PerQuery:
        made = Measure(kind, aliases, summary, describe, value, allows_all, allows_k)
        for name in (kind, *aliases):
            if not re.fullmatch("[a-z][a-z0-9_-]*", name):
                raise UsageError(
                    f"A metric cannot be called {name!r}.", "Take small letters, digits and -."
                )
            for other in MEASURES.values():
                if name in (other.kind, *other.aliases):
                    refuse_another("metric", name, other.value, value)
        MEASURES[kind] = made
        return value

    return register


def parse(text: str) -> Metric:
    """`map@all`, `map@200`, `prec@100` (also `p@100`, `precision@100`), `recall@10`, `acc@1`.

    Where `@all` means something it may be left out: `mrr` is `mrr@all`.

    Raises:
        UsageError: no such metric, or no positive whole number behind the @.
    """
    name, at, cut = text.strip().lower().partition("@")
    found = [m for m in MEASURES.values() if name in (m.kind, *m.aliases)]
    if not found:
        found = [m for m in all_measures().values() if name in (m.kind, *m.aliases)]
    if not found:
        raise UsageError(f"There is no metric {text!r}.", _meant(text.strip().lower()))
    kind = found[0].kind
    if found[0].allows_all and (cut == "all" or not at):
        return Metric(kind, None)
    if not found[0].allows_k:
        raise UsageError(f"{kind} has no cut-off: {found[0].summary}.", f"Write {kind}.")
    if not re.fullmatch("[1-9][0-9]{0,8}", cut):
        raise UsageError(f"The metric {text!r} has no cut-off.", f"Write {kind}@100, for example.")
    return Metric(kind, int(cut))


def _meant(text: str) -> str:
    """A hint for a text that is none: `map200` means `map@200`."""
    names = {alias: m.kind for m in MEASURES.values() for alias in (m.kind, *m.aliases)}
    glued = re.fullmatch(r"([a-z-]+?)[_ -]?([1-9][0-9]*|all)", text)
    if glued and glued[1] in names:
        return f"Did you mean '{names[glued[1]]}@{glued[2]}'?"
    name, _, cut = text.partition("@")
    if close := difflib.get_close_matches(name, names, 1):
        return f"Did you mean '{names[close[0]]}@{cut or 'all'}'?"
    known = [f"{m.kind}@{'all' if m.allows_all else 100}" for m in MEASURES.values()]
    return nearest(text, known)


def per_query(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    """(n,) float64: the metric of each query; NaN where the definition leaves the query out."""
    value = MEASURES[metric.kind].value
    assert value is not None
    return value(metric, definition, ranks)


def _describe_average_precision(metric: Metric, definition: Definition) -> str:
    by = {"min": f"min({metric.k}, R)", "R": "R", "hits": "hits in the list", "K": str(metric.k)}
    kind = {"textbook": "textbook AP", "voc": "VOC-interpolated AP"}[definition.interpolation]
    return f"{kind} / {'R' if metric.k is None else by[definition.denominator]}"


@measure(
    "map",
    summary="mean average precision of the first K, or of the whole gallery",
    describe=_describe_average_precision,
    allows_all=True,
)
def _average_precision(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    k = ranks.gallery if metric.k is None else metric.k
    _, found = hits(definition, ranks, k)
    key = ("precisions", definition.interpolation, definition.ties, definition.nonpositive, k)
    if key not in ranks.made:
        ranks.made[key] = _precision_at_hits(definition, ranks, k).sum(axis=1)
    relevant = np.full(len(found), ranks.relevant)
    if definition.nonpositive == "ignore":
        relevant = ranks.positive.astype(np.int64)
    divisor = {
        "min": np.minimum(k, relevant),
        "R": relevant,
        "hits": found,
        "K": np.full(len(found), k),
    }["R" if metric.k is None else definition.denominator]
    value = np.divide(ranks.made[key], divisor, out=np.zeros(len(found)), where=divisor > 0)
    return left_out(definition, value, found)


def _precision_at_hits(definition: Definition, ranks: Ranks, k: int) -> np.ndarray:
    """(n, min(k, R)) float64: precision at each hit, 0 where the photo is outside the list."""
    hit, found = hits(definition, ranks, k)
    width = hit.shape[1]
    if definition.ties == "grouped":
        # scikit-learn moves through distinct scores: a group's hits share the precision at its end
        above = np.minimum(ranks.tied[:, :width], found[:, None])
        precision: np.ndarray
        precision = above / np.minimum(ranks.upto[:, :width], k)
    else:
        precision = np.arange(1, width + 1) / placed(definition, ranks)[0][:, :width]
    if not hit.all():
        precision *= hit
    if definition.interpolation == "voc":
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        if not hit.all():
            precision = precision * hit
    return precision


def _describe_precision(metric: Metric, definition: Definition) -> str:
    k = metric.k or 0
    if definition.precision == "next":
        return f"relevance of rank {k + 1}"
    by = {"K": str(k), "min": f"min({k}, R)", "list": f"min({k}, N)"}
    return f"hits in the first {k} / {by[definition.precision]}"


@measure(
    "prec",
    "precision",
    "p",
    summary="share of relevant photos among the first K (also p@K, precision@K)",
    describe=_describe_precision,
)
def _precision(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    assert metric.k is not None
    if definition.precision == "next":
        rank, counted = placed(definition, ranks)
        exact = rank == metric.k + 1
        found: np.ndarray = (exact if counted is None else exact & counted).any(axis=1)
        return found.astype(np.float64)
    _, found = hits(definition, ranks, metric.k)
    divisor = {
        "K": metric.k,
        "min": min(metric.k, ranks.relevant),
        "list": min(metric.k, ranks.gallery),
    }[definition.precision]
    return left_out(definition, found / divisor, found)


@measure(
    "recall",
    "r",
    summary="share of the relevant photos that are among the first K",
    describe=lambda metric, _: f"hits in the first {metric.k} / R",
)
def _recall(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    assert metric.k is not None
    _, found = hits(definition, ranks, metric.k)
    return left_out(definition, found / ranks.relevant, found)


@measure(
    "hit",
    "success",
    summary="whether any relevant photo is among the first K",
    describe=lambda metric, _: f"1 if a relevant photo is among the first {metric.k}",
)
def _any_hit(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    assert metric.k is not None
    _, found = hits(definition, ranks, metric.k)
    return left_out(definition, (found > 0).astype(np.float64), found)


@measure(
    "mrr",
    "rr",
    summary="reciprocal rank of the first relevant photo, 0 where it is not among the first K",
    describe=lambda metric, _: (
        "1 / rank of the first relevant photo"
        + ("" if metric.k is None else f", 0 beyond {metric.k}")
    ),
    allows_all=True,
)
def _reciprocal_rank(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    hit, found = hits(definition, ranks, metric.k or ranks.gallery)
    rank = placed(definition, ranks)[0][:, : hit.shape[1]]
    first = np.where(hit, rank, np.inf).min(axis=1, initial=np.inf)
    return left_out(definition, 1.0 / first, found)


@measure(
    "ndcg",
    summary="normalised discounted cumulative gain of the first K; a relevant photo gains 1",
    describe=lambda *_: "sum of 1 / log2(1 + rank) over the hits / the same of the best order",
    allows_all=True,
)
def _ndcg(metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    hit, found = hits(definition, ranks, metric.k or ranks.gallery)
    rank = placed(definition, ranks)[0][:, : hit.shape[1]]
    gain = (hit / np.log2(1.0 + rank)).sum(axis=1)
    best = (1 / np.log2(np.arange(2, hit.shape[1] + 2))).sum()
    return left_out(definition, gain / best, found)


@measure(
    "r-precision",
    "rprec",
    summary="share of relevant photos among the first R, the number of relevant ones",
    describe=lambda _metric, _definition: "hits in the first R / R",
    allows_all=True,
    allows_k=False,
)
def _r_precision(_metric: Metric, definition: Definition, ranks: Ranks) -> np.ndarray:
    _, found = hits(definition, ranks, ranks.relevant)
    return left_out(definition, found / ranks.relevant, found)


def own_photo(metric: Metric, rank: np.ndarray) -> np.ndarray:
    """`acc@K` of each query: whether its own photo is among the first K.

    Args:
        rank: (n,) rank of the photo the sketch was drawn from, every other photo of equal score
            before it; 0 where that photo is not in the gallery (such queries are NaN).
    """
    assert metric.k is not None
    return np.where(rank > 0, (rank <= metric.k).astype(np.float64), np.nan)


MEASURES["acc"] = Measure(
    "acc",
    ("top",),
    "share of sketches whose own photo is among the first K; ties count against",
    lambda metric, _: (
        f"share of queries whose own photo is among the first {metric.k}; ties count against"
    ),
    None,
)


def explain(metric: Metric, definition: Definition, similarity: str = "") -> str:
    """One line that says what a figure is.

    Args:
        similarity: what was ranked by, "" for what the definition says.
    """
    what = MEASURES[metric.kind].describe(metric, definition)
    if MEASURES[metric.kind].value is None:
        return what
    ties = {"gallery": "gallery order", "grouped": "grouped", "pessimistic": "last"}
    return (
        f"{what}; mean over {'queries' if definition.average == 'query' else 'classes'}; "
        f"{similarity or definition.similarity}; ties: {ties[definition.ties]}"
    )
