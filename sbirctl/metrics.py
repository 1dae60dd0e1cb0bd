"""Metrics and definitions for anybody's code.

`of_ranked` measures rankings that are at hand; `definition` names whose formula is meant. A metric
of one's own is a function under `measure` (docs/adding-a-metric.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sbirctl.core.errors import MismatchError
from sbirctl.retrieval.definitions import PRESETS as DEFINITIONS
from sbirctl.retrieval.definitions import Definition as Definition
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.metrics import DEFAULT as DEFAULT
from sbirctl.retrieval.metrics import MEASURES as MEASURES
from sbirctl.retrieval.metrics import Metric as Metric
from sbirctl.retrieval.metrics import Ranks, own_photo, per_query
from sbirctl.retrieval.metrics import explain as explain
from sbirctl.retrieval.metrics import measure as measure
from sbirctl.retrieval.metrics import parse as parse

__all__ = [
    "DEFAULT", "DEFINITIONS", "MEASURES", "Definition", "Metric",
    "definition", "explain", "measure", "of_ranked", "parse",
]  # fmt: skip


def definition(name: str = "standard", **changes: str) -> Definition:
    """A published definition, with parts changed: `definition("sake", average="query")`.

    Raises:
        UsageError: there is no such definition, part or choice.
    """
    return get(name, [f"{key}={value}" for key, value in changes.items()])


def of_ranked(
    relevance: Any,
    metric: str,
    definition: str | Definition = "standard",
    relevant: Any = None,
) -> np.ndarray:
    """A metric of rankings that are at hand, best photo first, no two scores equal.

    Args:
        relevance: (Q, N) bool, whether the photo at each rank is relevant. For `acc@K` relevant is
            the one photo that the sketch was drawn from.
        metric: such as "map@all" or "prec@100".
        definition: whose.
        relevant: (Q,) how many relevant photos there are in all, where the rankings are only the
            first N of a longer one; then only cut-offs up to N have a value. None: those in them.

    Returns:
        (Q,) float64; NaN where the definition leaves the query out.

    Raises:
        MismatchError: shapes that do not fit, or a cut-off beyond the end of a cut ranking.
    """
    parsed = parse(metric)
    chosen = get(definition) if isinstance(definition, str) else definition
    hit = np.atleast_2d(np.asarray(relevance, dtype=bool))
    inside = hit.sum(axis=1)
    total = inside if relevant is None else np.asarray(relevant, dtype=np.int64)
    if total.shape != inside.shape or (total < inside).any():
        raise MismatchError(
            f"relevant has shape {total.shape} and must be at least {inside.tolist()[:5]}.",
            "Give one number a ranking: how many photos are relevant for it.",
        )
    if relevant is not None and (parsed.k is None or parsed.k > hit.shape[1]):
        raise MismatchError(
            f"{metric} looks further than the {hit.shape[1]} photos of each ranking.",
            "Give longer rankings, or a metric with a smaller cut-off.",
        )
    if parsed.kind == "acc":
        return own_photo(parsed, np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, 0))
    value = np.full(len(hit), 0.0 if chosen.no_relevant == "zero" else np.nan)
    for count in np.unique(total[total > 0]):
        rows = np.flatnonzero(total == count)
        value[rows] = per_query(parsed, chosen, _ranks(hit[rows], int(count)))
    return value


def _ranks(hit: np.ndarray, relevant: int) -> Ranks:
    """Those outside a cut ranking stand far behind its end, beyond every cut-off."""
    rank = np.full((len(hit), relevant), 1 << 30, dtype=np.int32)
    rank += np.arange(relevant, dtype=np.int32)
    for i, row in enumerate(hit):
        found = np.flatnonzero(row) + 1
        rank[i, : len(found)] = found
    positive = np.full(len(hit), relevant, dtype=np.int32)
    return Ranks(rank, rank.copy(), positive, hit.shape[1])
