"""How sure a figure is, and whether two differ: bootstrap and paired randomisation."""

from __future__ import annotations

import numpy as np

from sbirctl.core.seeds import rng_for

_DRAWS = 4_000_000


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
    low, high = bootstrap_band(value[:, None], group, level=level, resamples=resamples, seed=seed)
    return float(low[0]), float(high[0])


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
    rng = rng_for("bootstrap", seed)
    parts = [values] if group is None else [values[group == g] for g in np.unique(group)]
    means = np.mean([_resampled(part, resamples, rng) for part in parts], axis=0)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _resampled(values: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """(resamples, m) means of samples of the (n, m) values drawn with replacement."""
    size = len(values)
    rows = max(1, _DRAWS // size)
    means = np.empty((resamples, values.shape[1]))
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = rng.integers(0, size, (count, size))
        drawn += np.arange(0, count * size, size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size)
        means[start : start + count] = times @ values / size
    return means


def randomisation_test(
    difference: np.ndarray,
    group: np.ndarray | None = None,
    *,
    permutations: int = 10_000,
    seed: int = 0,
) -> float:
    """Two-sided p of a paired randomisation test: each query's difference may change its sign.

    Smucker, Allan and Carterette (CIKM 2007) recommend it for retrieval. Counts the observed
    assignment too, so p is at least 1 / (permutations + 1).

    Args:
        difference: (n,) of two systems on the same queries, without NaN.
        group: (n,) for a mean of group means.
    """
    weight = np.full(len(difference), 1 / len(difference))
    if group is not None:
        _, code = np.unique(group, return_inverse=True)
        weight = 1 / (np.bincount(code)[code] * (code.max() + 1))
    terms = weight * difference
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


def wins(difference: np.ndarray, label: np.ndarray) -> dict[int, tuple[int, int, float]]:
    """{label: (queries won, queries lost, mean difference)}."""
    found = {}
    for code in np.unique(label):
        own = difference[label == code]
        won, lost = int(np.count_nonzero(own > 0)), int(np.count_nonzero(own < 0))
        found[int(code)] = (won, lost, float(own.mean()))
    return found
