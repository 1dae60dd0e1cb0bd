"""The rank of what each query looks for: the first photo of its class, or its own photo."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import problems
from sbirctl.retrieval.ranking import Plan, rank
from sbirctl.retrieval.ranking_problem import Consumer, RankingProblem
from sbirctl.retrieval.ranks import Ranks

Target = Literal["class", "own"]


def target_ranks(e: Embeddings, target: Target, report: Reporter = SILENT) -> np.ndarray:
    """Ranks from 1 by cosine; equal scores rank as the definition `standard` and `acc@K` do.

    Args:
        target: "class" the first photo of the query's class, "own" the photo of its instance.

    Returns:
        (Q,) int64; 0 where the gallery holds no such photo.
    """
    found = np.zeros(len(e.query), dtype=np.int64)

    def take(queries: np.ndarray, ranks: Ranks) -> None:
        if target == "class":
            found[queries] = ranks.rank[:, 0]

    def take_own(queries: np.ndarray, ranks: np.ndarray) -> None:
        found[queries] = ranks

    consumer = Consumer(take, take_own if target == "own" else None)
    for query, gallery in problems(e):
        problem = RankingProblem.from_embeddings(e, "cosine", None, query, gallery)
        rank(problem, consumer, Plan(), report)
    return found
