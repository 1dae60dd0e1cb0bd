"""The same ranking on a torch device: float32 products, sorted rows, batched search."""

from __future__ import annotations

from typing import Any

import numpy as np

from sbirctl.core.errors import UsageError
from sbirctl.core.progress import Reporter
from sbirctl.retrieval.rank_counting import counter
from sbirctl.retrieval.ranking_problem import TILE, Consumer, OwnPhotos, RankingProblem, segments
from sbirctl.retrieval.ranks import Ranks


def rank_on(device: str, problem: RankingProblem, consumer: Consumer, report: Reporter) -> None:
    """Like `ranking.rank`, on a torch device; rows with ties among relevant photos go to the CPU.

    Products are computed in full float32 (no TF32); they may differ from the CPU's in the last
    bits, so nearly equal scores can change places.

    Raises:
        UsageError: torch or the device is not there.
    """
    if problem.similarity == "given":
        raise UsageError("Scores of pairs are ranked by the processor.", "Use --device cpu.")
    torch, place = _open(device)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        ranker = _Ranker(torch, place, problem)
        with report.bar("ranking", problem.tiles) as advance:
            for index in range(problem.tiles):
                ranker.run(index, consumer)
                advance()
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _open(device: str) -> tuple[Any, Any]:
    try:
        import torch
    except ImportError as error:
        raise UsageError(
            f"--device {device} needs torch, which is not installed.", "Use --device cpu."
        ) from error
    try:
        place = torch.device(device)
    except RuntimeError as error:  # torch's own message lists twenty kinds
        raise UsageError(
            f"There is no device {device!r}.", "Use --device cpu, cuda, cuda:1 or mps."
        ) from error
    try:
        torch.zeros(1, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"There is no device {device!r}: {reason}.", "Use --device cpu."
        ) from error
    return torch, place


class _Ranker:
    def __init__(self, torch: Any, place: Any, problem: RankingProblem) -> None:
        self._torch, self._place, self._problem = torch, place, problem
        self._gallery = torch.from_numpy(problem.gallery).to(place)
        self._half = None if problem.half is None else torch.from_numpy(problem.half).to(place)
        self._own: OwnPhotos | None = None
        self._on_cpu = counter(problem)

    def run(self, index: int, consumer: Consumer) -> None:
        torch, problem = self._torch, self._problem
        tile = torch.from_numpy(problem.query_tile(index)).to(self._place)
        scores = tile @ self._gallery
        if self._half is not None:
            scores -= self._half
        ordered = torch.sort(scores, dim=1).values
        for rows, queries, columns in segments(problem, index):
            consumer.ranks(queries, self._count(scores[rows], ordered[rows], columns))
        if consumer.own is not None:
            self._own = self._own or OwnPhotos(problem)
            queries = problem.query[index * TILE : (index + 1) * TILE]
            values = scores[: len(queries)].cpu().numpy()
            found = [self._own.rank(q, values[i]) for i, q in enumerate(queries)]
            consumer.own(queries, np.array(found))

    def _count(self, scores: Any, ordered: Any, columns: slice) -> Ranks:
        torch = self._torch
        relevant = torch.sort(scores[:, columns], dim=1).values.contiguous()
        below = torch.searchsorted(ordered, relevant)
        equal = torch.searchsorted(ordered, relevant, right=True) - below
        size = scores.shape[1]
        upto = (size - below.flip(1)).to(torch.int32).cpu().numpy()
        rank = upto.copy()
        tied = torch.nonzero((equal > 1).any(dim=1)).flatten()
        if len(tied):
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                ranks = self._on_cpu(scores[tied].cpu().numpy(), columns)
            rank[tied.cpu().numpy()] = ranks.rank
        positive = (relevant > 0).sum(dim=1).cpu().numpy()
        return Ranks(rank, upto, positive, size)
