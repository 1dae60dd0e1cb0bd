"""Two systems on the same queries: difference, randomisation test, wins and losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sbirctl.core.errors import MismatchError
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Result, mean_of
from sbirctl.retrieval.statistics import (
    Unit,
    bootstrap_interval,
    class_interval,
    holm,
    randomisation_test,
    wins,
)


@dataclass(frozen=True)
class System:
    """One configuration: the same queries ranked by one or more seeds.

    Attributes:
        embeddings: of the first seed (labels, paths, classes).
        results: one a seed, rows in the order of `embeddings`.
    """

    embeddings: Embeddings
    results: Sequence[Result]

    def figures(self, metric: str) -> list[float]:
        """The metric of each seed (those where it is defined)."""
        found = [result.mean(metric) for result in self.results]
        return [value for value in found if value is not None]

    def per_query(self, metric: str) -> np.ndarray:
        """(Q,) mean over the seeds; NaN where a query is left out."""
        values = np.array([result.values[metric] for result in self.results])
        mean: np.ndarray = values.mean(axis=0)
        return mean


@dataclass(frozen=True)
class Comparison:
    """One metric of two systems.

    Attributes:
        metric: its name.
        a, b: mean over seeds. a_std, b_std: sample standard deviation, None for one seed.
        difference: a - b. low, high: its 95 % bootstrap interval over the unit.
        p: two-sided p of the paired randomisation test over the unit.
        p_holm: the same, adjusted for the number of metrics compared (`statistics.holm`).
        unit: what is drawn again and changes its sign: each class, or each query.
        queries: how many both systems score. won, lost: of them, where a is higher or lower.
        classes: {class: (queries won, queries lost, mean difference)}.
    """

    metric: str
    a: float
    b: float
    a_std: float | None
    b_std: float | None
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    unit: Unit
    queries: int
    won: int
    lost: int
    classes: dict[str, tuple[int, int, float]]


def align(reference: Embeddings, other: Embeddings) -> np.ndarray:
    """(Q,) rows of `other` that are the queries of `reference`.

    Queries are matched by path, else by digest, else by position.

    Raises:
        MismatchError: they are not the same queries with the same classes.
    """
    if len(reference.query) != len(other.query):
        raise MismatchError(
            f"One side has {len(reference.query)} queries, the other {len(other.query)}.",
            "Compare systems on the same test side.",
        )
    rows = np.arange(len(other.query))
    for key in ("query_path", "query_digest"):
        a, b = getattr(reference, key), getattr(other, key)
        if a is None or b is None or len(np.unique(a)) < len(a):
            continue
        if missing := int(np.count_nonzero(~np.isin(a, b))):
            raise MismatchError(
                f"{missing} of {len(a)} queries are not the same pictures ({key}).",
                "Compare systems on the same test side.",
            )
        rows = np.argsort(b, kind="stable")[np.searchsorted(np.sort(b), a)]
        break
    ours = np.array(reference.classes)[reference.query_label]
    theirs = np.array(other.classes)[other.query_label[rows]]
    if (ours != theirs).any():
        row = int((ours != theirs).argmax())
        raise MismatchError(
            f"Query {row} is of class {str(ours[row])!r} here and {str(theirs[row])!r} there.",
            "Compare systems on the same test side, in the same order.",
        )
    return rows


def reorder(result: Result, rows: np.ndarray) -> Result:
    """The same result with its queries in another order."""
    return Result(
        result.definition,
        {name: value[rows] for name, value in result.values.items()},
        result.relevant[rows],
        result.nonpositive[rows],
        result.tied[rows],
        result.gallery[rows],
        None if result.group is None else result.group[rows],
    )


def compare(
    a: System, b: System, metrics: Sequence[str], unit: Unit = "query", seed: int = 0
) -> list[Comparison]:
    """Compare metric by metric; only queries that both systems score count.

    Raises:
        MismatchError: there is no such query, or the unit is the class and they are all of one.
    """
    found = [_compare(a, b, metric, unit, seed) for metric in metrics]
    adjusted = holm([one.p for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True)]


def _compare(a: System, b: System, metric: str, unit: Unit, seed: int) -> Comparison:
    ours, theirs = a.per_query(metric), b.per_query(metric)
    counts = ~(np.isnan(ours) | np.isnan(theirs))
    if not counts.any():
        raise MismatchError(
            f"No query has a value of {metric} on both sides.",
            "Choose another --metric, or --set no_relevant=zero.",
        )
    group = a.results[0].group
    group = None if group is None else group[counts]
    difference = (ours - theirs)[counts]
    label = a.embeddings.query_label[counts]
    by_class = wins(difference, label)
    if unit == "query":
        low, high = bootstrap_interval(difference, group, seed=seed)
        p = randomisation_test(difference, group, seed=seed)
    else:
        cluster = label if a.embeddings.query_group is None else a.embeddings.query_group[counts]
        if len(np.unique(cluster)) < 2:
            raise MismatchError("All queries are of one class.", "Compare with --unit query.")
        low, high = class_interval(difference, cluster, macro=group is not None, seed=seed)
        p = randomisation_test(difference, group, label=cluster, seed=seed)
    a_figures, b_figures = a.figures(metric), b.figures(metric)
    mean = mean_of(difference, group)
    assert mean is not None
    return Comparison(
        metric,
        float(np.mean(a_figures)),
        float(np.mean(b_figures)),
        _std(a_figures),
        _std(b_figures),
        mean,
        low,
        high,
        p,
        p,
        unit,
        int(counts.sum()),
        int(np.count_nonzero(difference > 0)),
        int(np.count_nonzero(difference < 0)),
        {a.embeddings.classes[code]: found for code, found in by_class.items()},
    )


def _std(figures: list[float]) -> float | None:
    return float(np.std(figures, ddof=1)) if len(figures) > 1 else None
