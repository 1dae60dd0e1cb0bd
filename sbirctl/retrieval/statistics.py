"""How sure a figure is, and whether two differ: bootstrap, paired randomisation, seeds.

The unit is the query or the class. With few test classes the class is what was drawn by chance:
queries of one class rise and fall together, so an interval over queries is far too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from sbirctl.core.seeds import rng_for

_DRAWS = 4_000_000  # random signs at once
_SAMPLED = 400_000  # rows drawn at once: few enough that their counts stay in the cache
MOST_SEEDS = 30
# Student's t, 97.5 %, by degrees of freedom from 2: scipy's, which the light installation lacks.
_STUDENT = (
    4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139,
    2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922, 2.093024,
    2.085963, 2.079614, 2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831, 2.048407,
    2.045230,
)  # fmt: skip
Unit = Literal["class", "query"]


def bootstrap_interval(
    value: np.ndarray,
    group: np.ndarray | None = None,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over queries (Efron, 1979).

    Args:
        value: (n,) per query, without NaN, n >= 1.
        group: (n,) for a mean of group means: queries are drawn again within their group.

    Returns:
        Lower and upper end.
    """
    ((low, high),) = bootstrap_intervals(
        value[None], group, level=level, resamples=resamples, seed=seed
    )
    return low, high


def bootstrap_intervals(
    values: np.ndarray,
    group: np.ndarray | None = None,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[tuple[float, float]]:
    """`bootstrap_interval` of several figures of the same queries, which are drawn once for all.

    Each is the same to the last bit as alone.

    Args:
        values: (m, n) figure by query, without NaN, n >= 1.
        group: (n,) as in `bootstrap_interval`.

    Returns:
        Lower and upper end of each.
    """
    tables = [value[:, None] for value in values]
    ends = [_middle(means[:, 0], level) for means in _drawn(tables, group, resamples, seed)]
    return [(float(low), float(high)) for low, high in ends]


def class_interval(
    value: np.ndarray,
    label: np.ndarray,
    *,
    macro: bool = False,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a cluster bootstrap: whole classes are drawn again.

    Field and Welsh (JRSS B, 2007), with the classes as clusters.

    Args:
        value: (n,) per query, without NaN, n >= 1.
        label: (n,) class of each query; at least two classes.
        macro: the figure is the mean of class means, not of queries.

    Returns:
        Lower and upper end.
    """
    _, code = np.unique(label, return_inverse=True)
    count = np.bincount(code)
    mean = np.bincount(code, value) / count
    weight = np.ones(len(count)) if macro else count.astype(float)
    drawn = rng_for("bootstrap", seed).integers(0, len(count), (resamples, len(count)))
    means = (weight * mean)[drawn].sum(axis=1) / weight[drawn].sum(axis=1)
    low, high = _middle(means, level)
    return float(low), float(high)


def bootstrap_band(
    values: np.ndarray,
    group: np.ndarray | None = None,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """The same for many values of a query, which are drawn together: a band is one of curves.

    Args:
        values: (n, m) per query, without NaN, n >= 1.
        group: (n,) as in `bootstrap_interval`.

    Returns:
        (m,) lower and (m,) upper ends.
    """
    (means,) = _drawn([values], group, resamples, seed)
    return _middle(means, level)


def _drawn(
    tables: Sequence[np.ndarray], group: np.ndarray | None, resamples: int, seed: int
) -> list[np.ndarray]:
    """(resamples, m) figures of each (n, m) table, from the same samples of its rows."""
    rng = rng_for("bootstrap", seed)
    if group is None:
        return _resampled(tables, resamples, rng)
    rows = [group == g for g in np.unique(group)]
    parts = [_resampled([table[own] for table in tables], resamples, rng) for own in rows]
    return [np.mean(means, axis=0) for means in zip(*parts, strict=True)]


def _middle(means: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of the middle of the resampled means, along the first axis."""
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _resampled(
    tables: Sequence[np.ndarray], resamples: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """(resamples, m) means of samples of each (n, m) table's rows drawn with replacement."""
    size = len(tables[0])
    rows = max(1, _SAMPLED // size)
    means = [np.empty((resamples, table.shape[1])) for table in tables]
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = rng.integers(0, size, (count, size))
        drawn += np.arange(0, count * size, size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * size)
        weights = times.astype(np.float64).reshape(count, size)
        for table, mean in zip(tables, means, strict=True):
            mean[start : start + count] = weights @ table / size
    return means


def randomisation_test(
    difference: np.ndarray,
    group: np.ndarray | None = None,
    *,
    label: np.ndarray | None = None,
    permutations: int = 10_000,
    seed: int = 0,
) -> float:
    """Two-sided p of a paired randomisation test: each query's difference may change its sign.

    Smucker, Allan and Carterette (CIKM 2007) recommend it for retrieval. Counts the observed
    assignment too, so p is at least 1 / (permutations + 1).

    Args:
        difference: (n,) of two systems on the same queries, without NaN.
        group: (n,) for a mean of group means.
        label: (n,) classes; the differences of a class change their signs together.
    """
    weight = np.full(len(difference), 1 / len(difference))
    if group is not None:
        _, code = np.unique(group, return_inverse=True)
        weight = 1 / (np.bincount(code)[code] * (code.max() + 1))
    terms = weight * difference
    if label is not None:
        terms = np.bincount(np.unique(label, return_inverse=True)[1], terms)
    observed = abs(terms.sum())
    # Sums of the same terms in another order differ in the last bits; they are still "as extreme".
    limit = observed * (1 - 1e-9) - 1e-15
    rng = rng_for("randomisation", seed)
    rows = max(1, _DRAWS // len(terms))
    extreme = 0
    for done in range(0, permutations, rows):
        count = min(rows, permutations - done)
        kept = rng.integers(0, 2, (count, len(terms)), dtype=np.int8)
        extreme += int(np.count_nonzero(np.abs(2 * (kept @ terms) - terms.sum()) >= limit))
    return (extreme + 1) / (permutations + 1)


def holm(p: Sequence[float]) -> list[float]:
    """The p-values of several tests, adjusted so that all of them hold together.

    Holm (Scandinavian Journal of Statistics, 1979): the k-th smallest of m times m - k + 1, at
    least the one before it, at most 1.
    """
    adjusted = [0.0] * len(p)
    largest = 0.0
    for k, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - k) * p[i]))
        adjusted[i] = largest
    return adjusted


def wins(difference: np.ndarray, label: np.ndarray) -> dict[int, tuple[int, int, float]]:
    """{label: (queries won, queries lost, mean difference)}."""
    found = {}
    for code in np.unique(label):
        own = difference[label == code]
        won, lost = int(np.count_nonzero(own > 0)), int(np.count_nonzero(own < 0))
        found[int(code)] = (won, lost, float(own.mean()))
    return found


def seeds_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of the mean over seeds (Student, 1908); None for fewer than three.

    Args:
        values: a figure a seed. Beyond 30 seeds the quantile of 30 is used, which is a little wide.

    Returns:
        Lower and upper end.
    """
    if len(values) < 3:
        return None
    quantile = _STUDENT[min(len(values), MOST_SEEDS) - 3]
    half = quantile * float(np.std(values, ddof=1)) / len(values) ** 0.5
    middle = float(np.mean(values))
    return middle - half, middle + half


def beside_interval(value: float, interval: tuple[float, float]) -> str:
    """ "within", "below" or "above": where a value lies."""
    low, high = interval
    return "below" if value < low else "above" if value > high else "within"
