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
    rng = rng_for("bootstrap", seed)
    if group is None:
        means = _resampled(value, resamples, rng)
    else:
        parts = [value[group == g] for g in np.unique(group)]
        means = np.mean([_resampled(part, resamples, rng) for part in parts], axis=0)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resampled(value: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """(resamples,) means of samples drawn with replacement."""
    rows = max(1, _DRAWS // len(value))
    means = [
        value[rng.integers(0, len(value), (min(rows, resamples - done), len(value)))].mean(axis=1)
        for done in range(0, resamples, rows)
    ]
    return np.concatenate(means)


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
