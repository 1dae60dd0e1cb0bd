"""What may be done to a ranking after the model: each method with its settings, by name."""

from __future__ import annotations

from typing import Any, NamedTuple

from sbirctl.core.errors import UsageError, nearest
from sbirctl.retrieval.rerank.expansion import DBA, AlphaQE
from sbirctl.retrieval.rerank.fusion import ReciprocalRank, ScoreSum
from sbirctl.retrieval.rerank.pairs import Pairs
from sbirctl.retrieval.rerank.reciprocal import KReciprocal


class Method(NamedTuple):
    """A method: its settings, whether it takes several rankings, and whether a run's model."""

    Settings: type[Any]
    fuses: bool = False
    needs_model: bool = False


METHODS = {
    "alpha-qe": Method(AlphaQE),
    "dba": Method(DBA),
    "k-reciprocal": Method(KReciprocal),
    "pairs": Method(Pairs, needs_model=True),
    "rrf": Method(ReciprocalRank, fuses=True),
    "score-sum": Method(ScoreSum, fuses=True),
}


def get(name: str) -> Method:
    """The method of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(f"There is no method {name!r} of re-ranking.", nearest(name, METHODS))
    return METHODS[name]
