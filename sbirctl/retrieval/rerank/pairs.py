"""The first photos of every query, in the order that a model gives each pair (`pairs`).

What scores a pair needs both pictures, so it is given from outside; here is what becomes of the
ranking. Only the first K of the ranking there was are scored, in blocks, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.neighbours import first_of
from sbirctl.retrieval.rerank.blocks import score_blocks

ABOVE = 2.0  # what a scored pair's 0 to 1 is raised by: above every cosine
PairScorer = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(n,) rows of queries and (n, k) rows of the gallery to (n, k) scores from 0 to 1."""


@dataclass(frozen=True)
class Pairs:
    """Settings of scoring pairs."""

    top: int = setting(100, help="photos of a query that are scored, 0: all", least=0)


def pair_blocks(
    e: Embeddings, settings: Pairs, scorer: PairScorer, report: Reporter = SILENT
) -> Iterator[np.ndarray]:
    """Scores of all pairs: 2 and the pair's for the first photos, the old one for the others.

    So the scored photos stand first, in the order of their pairs' scores; the others follow as they
    were. Equal scores rank in the gallery's order.

    Gives:
        (at most 512, N) float64 rows in the order of the file.
    """
    order, start = np.arange(len(e.gallery)), 0
    count = min(settings.top or len(order), len(order))
    for block in score_blocks(e, report, "scoring pairs"):
        found = block.astype(np.float64)
        if e.matrix is not None:  # scores that are no cosines: brought below 2
            found -= found.max(axis=1, keepdims=True) - 1
        first = np.stack([first_of(row, order, count) for row in block])
        queries = np.arange(start, start + len(block))
        np.put_along_axis(found, first, ABOVE + scorer(queries, first), axis=1)
        yield found
        start += len(block)
