"""What a model that knows nothing would score: the mean figure over all orders of the gallery.

With R relevant photos of N in random order, all scores different and above zero; a photo that is
drawn twice into a gallery (`Definition.gallery`) counts as two. Average precision
follows from the chance that rank i is relevant, R / N, and the relevant photos expected before it,
(i - 1) (R - 1) / (N - 1):

    E[sum of precisions at the hits of the first K] = R/N (H_K + (K - H_K) (R - 1) / (N - 1))

with the harmonic number H_K (Bestgen, "Exact expected average precision of the random baseline for
system evaluation", PBML 103, 2015, gives it for K = N). What
interpolation adds, and metrics without a formula, are taken of random orders, always the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sbirctl.core.seeds import rng_for
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Result, problems
from sbirctl.retrieval.metrics import Metric, per_query
from sbirctl.retrieval.ranks import Ranks

_DRAWN = 200_000  # ranks of the random orders of one R and N
_ORDERS = (200, 1_000)
_SMALL = 4_000  # photos, up to which permuting them is quicker than choosing the relevant ones


def chance_levels(
    e: Embeddings, result: Result, metrics: Sequence[Metric], seed: int = 0
) -> dict[str, float | None]:
    """{metric: figure} of random orders of the galleries that a result's queries were ranked in.

    Args:
        result: of `evaluate` on these embeddings.
        seed: of galleries that are drawn (`evaluation.Options.seed`).

    Returns:
        None where the definition makes the mean undefined, or no query counts.
    """
    return {str(m): _level(e, result, m, seed) for m in metrics}


def expected(metric: Metric, definition: Definition, relevant: int, size: int) -> float:
    """The value a query gets on average, 0 where it has no hit and is left out for that.

    Args:
        relevant: R, at least 1. size: N.
    """
    formula = _FORMULAS.get(metric.kind)
    if formula is None:
        found = per_query(metric, definition, _random_orders(relevant, size))
        return float(np.nan_to_num(found).mean())
    return formula(metric, definition, relevant, size)


def _level(e: Embeddings, result: Result, metric: Metric, seed: int) -> float | None:
    definition = result.definition
    if metric.kind == "acc":
        value, weight = _own_photo(e, metric, definition.gallery, seed)
    else:
        if definition.no_relevant == "nan" and (result.relevant == 0).any():
            return None
        value, weight = np.zeros(len(result.relevant)), np.zeros(len(result.relevant))
        pairs = np.stack([result.relevant, result.gallery], axis=1)
        kinds, code = np.unique(pairs, axis=0, return_inverse=True)
        for i, (relevant, size) in enumerate(kinds.tolist()):
            rows = code.ravel() == i
            if relevant:
                value[rows] = expected(metric, definition, relevant, size)
                weight[rows] = _counts(metric, definition, relevant, size)
            else:
                weight[rows] = definition.no_relevant == "zero"
    _, code = np.unique(np.zeros(len(value)) if result.group is None else result.group,
                        return_inverse=True)  # fmt: skip
    total, count = np.bincount(code, value), np.bincount(code, weight)
    return float((total[count > 0] / count[count > 0]).mean()) if count.any() else None


def _counts(metric: Metric, definition: Definition, relevant: int, size: int) -> float:
    """How probable it is that a query is not left out for having no hit."""
    if definition.no_hits == "count":
        return 1.0
    if metric.kind not in _FORMULAS:
        found = per_query(metric, definition, _random_orders(relevant, size))
        return float((~np.isnan(found)).mean())
    if metric.kind == "prec" and definition.precision == "next":
        return 1.0
    return _any_hit(relevant, size, metric.k)


def _own_photo(
    e: Embeddings, metric: Metric, gallery: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    value, weight = np.zeros(len(e.query)), np.zeros(len(e.query))
    assert e.query_instance is not None
    assert e.gallery_instance is not None
    for queries, photos in problems(e, gallery, seed):
        rows = np.arange(len(e.query)) if queries is None else queries
        there = np.sort(e.gallery_instance if photos is None else e.gallery_instance[photos])
        wanted = e.query_instance[rows]
        copies = np.searchsorted(there, wanted, "right") - np.searchsorted(there, wanted)
        copies[wanted < 0] = 0
        for count in np.unique(copies[copies > 0]).tolist():
            value[rows[copies == count]] = _any_hit(count, len(there), metric.k)
        weight[rows] = copies > 0
    return value, weight


def _any_hit(relevant: int, size: int, k: int | None) -> float:
    """1 - C(N - R, K) / C(N, K): whether any of R photos is among the first K of N."""
    k = size if k is None else min(k, size)
    if k > size - relevant:
        return 1.0
    return -math.expm1(_log_choose(size - relevant, k) - _log_choose(size, k))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _average_precision(metric: Metric, definition: Definition, relevant: int, size: int) -> float:
    if definition.interpolation == "voc":  # only what interpolation adds has to be drawn
        plain = replace(definition, interpolation="textbook")
        orders = _random_orders(relevant, size)
        both = [np.nan_to_num(per_query(metric, d, orders)) for d in (definition, plain)]
        return float((both[0] - both[1]).mean()) + _average_precision(metric, plain, relevant, size)
    k = size if metric.k is None else metric.k
    length = min(k, size)
    harmonic = float(np.sum(1 / np.arange(1, length + 1)))
    rule = "R" if metric.k is None else definition.denominator
    if rule == "hits":
        # h hits lie anywhere in the list, so its precision is that of h relevant photos of `length`
        each = (length - harmonic) / max(length - 1, 1)
        hits = length * relevant / size
        return ((harmonic - each) * _any_hit(relevant, size, length) + each * hits) / length
    before = (length - harmonic) * (relevant - 1) / max(size - 1, 1)
    divisor = {"min": min(k, relevant), "R": relevant, "K": k}[rule]
    return relevant / size * (harmonic + before) / divisor


def _precision(metric: Metric, definition: Definition, relevant: int, size: int) -> float:
    k = metric.k or size
    if definition.precision == "next":
        return relevant / size if k < size else 0.0
    divisor = {"K": k, "min": min(k, relevant), "list": min(k, size)}[definition.precision]
    return min(k, size) * relevant / size / divisor


def _recall(metric: Metric, _definition: Definition, _relevant: int, size: int) -> float:
    return min(metric.k or size, size) / size


def _hit(metric: Metric, _definition: Definition, relevant: int, size: int) -> float:
    return _any_hit(relevant, size, metric.k)


def _r_precision(_metric: Metric, _definition: Definition, relevant: int, size: int) -> float:
    return relevant / size


_FORMULAS: dict[str, Callable[[Metric, Definition, int, int], float]] = {
    "map": _average_precision,
    "prec": _precision,
    "recall": _recall,
    "hit": _hit,
    "r-precision": _r_precision,
}


def _random_orders(relevant: int, size: int) -> Ranks:
    """Queries that rank in random order: the same for the same numbers."""
    orders = int(np.clip(_DRAWN // relevant, *_ORDERS))
    rng = rng_for("chance", relevant, size)
    if size <= _SMALL:
        places = np.broadcast_to(np.arange(size, dtype=np.int32), (orders, size))
        rank = np.sort(rng.permuted(places, axis=1)[:, :relevant], axis=1)
    else:
        chosen = [rng.choice(size, relevant, replace=False, shuffle=False) for _ in range(orders)]
        rank = np.sort(np.array(chosen, dtype=np.int32), axis=1)
    rank += 1
    positive = np.full(orders, relevant, dtype=np.int32)
    return Ranks(rank, rank, positive, size)
