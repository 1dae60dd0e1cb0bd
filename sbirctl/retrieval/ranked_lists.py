"""Rankings that another program made: the relevance of the first photos of each query.

Where equal scores stand is lost in a list, so definitions that ask for it cannot be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sbirctl.core.errors import MismatchError
from sbirctl.retrieval.definitions import Definition, get
from sbirctl.retrieval.evaluation import Result
from sbirctl.retrieval.metrics import Metric, own_photo, parse, per_query
from sbirctl.retrieval.ranks import Ranks

_FAR = 1 << 30  # rank of relevant photos behind the end of a list: beyond every cut-off


@dataclass(frozen=True, eq=False)
class RankedLists:
    """Rankings, the best photo first.

    Attributes:
        hit: (Q, K) bool, whether the photo at each rank is relevant; False behind a list's end.
        relevant: (Q,) int64, relevant photos there are in all.
        query: (Q,) names of the queries.
        unranked: queries that are judged and have no list.
        tied: whether a relevant photo had the score of another one that is not.
    """

    hit: np.ndarray
    relevant: np.ndarray
    query: tuple[str, ...]
    tied: bool = False
    unranked: int = 0


def measure(lists: RankedLists, metrics: Sequence[Metric], definition: Definition) -> Result:
    """The metrics of every list.

    Raises:
        MismatchError: the lists do not allow the definition, or a metric looks further than they.
    """
    if reason := impossible(lists, definition):
        raise MismatchError(f"{definition.name} {reason}.", "Choose another definition.")
    if any(m.kind == "acc" for m in metrics) and (lists.relevant != 1).any():
        raise MismatchError(
            "acc@K asks for one photo, and some queries have several relevant ones.",
            "Ask for recall@K, or judge only the photo each sketch was drawn from.",
        )
    values = {str(m): of_ranked(lists.hit, str(m), definition, lists.relevant) for m in metrics}
    nothing = np.zeros(len(lists.hit), dtype=np.int64)
    return Result(definition, values, lists.relevant, nothing, nothing, nothing, None)


def impossible(lists: RankedLists, definition: Definition) -> str:
    """Why a definition cannot be had of lists; "" where it can."""
    if definition.similarity == "hamming":
        return "ranks binary codes, and there are only rankings"
    if definition.average == "class":
        return "averages over classes, and rankings have none"
    if definition.gallery == "drawn":
        return "draws a gallery of its own"
    if definition.nonpositive == "ignore":
        return "looks at the sign of a cosine"
    if definition.ties != "gallery" and lists.tied:
        return "has a rule for equal scores, which the rankings have"
    return ""


def of_ranked(
    relevance: ArrayLike,
    metric: str,
    definition: str | Definition = "standard",
    relevant: ArrayLike | None = None,
) -> np.ndarray:
    """A metric of rankings that are at hand, best photo first, no two scores equal.

    Args:
        relevance: (Q, N) bool, whether the photo at each rank is relevant. For `acc@K` relevant is
            the one photo that the sketch was drawn from.
        metric: such as "map@all" or "prec@100".
        definition: whose.
        relevant: (Q,) how many relevant photos there are in all, None for those in the rankings.
            Where one is missing the rankings are cut, and only cut-offs up to N have a value.

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
    cut = bool((total > inside).any())
    if cut and (parsed.k is None or parsed.k > hit.shape[1]):
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
    rank = np.full((len(hit), relevant), _FAR, dtype=np.int32)
    rank += np.arange(relevant, dtype=np.int32)
    for i, row in enumerate(hit):
        found = np.flatnonzero(row) + 1
        rank[i, : len(found)] = found
    positive = np.full(len(hit), relevant, dtype=np.int32)
    return Ranks(rank, rank.copy(), positive, hit.shape[1])
