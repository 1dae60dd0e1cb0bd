"""Exact ranking of all queries in tiles: products and counting on all cores, memory bounded."""

from __future__ import annotations

import contextlib
import os
import queue
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import UsageError
from sbirctl.core.files import human_bytes
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.rank_counting import COMPILED_MEMORY, counter, worth_compiling
from sbirctl.retrieval.ranking_problem import TILE, Consumer, OwnPhotos, RankingProblem, segments

DEFAULT_MEMORY = 2 * 10**9
AUTO = "auto"


@dataclass(frozen=True)
class Plan:
    """How the work is spread; none of it changes the result.

    Attributes:
        memory: bytes that may be used beyond the embeddings; None: 2 GB, or what one tile needs
            where that is more.
        threads: most threads, None for all cores (or OMP_NUM_THREADS).
        device: "cpu", or a torch device.
    """

    memory: int | None = None
    threads: int | None = None
    device: str = "cpu"


def rank(
    problem: RankingProblem, consumer: Consumer, plan: Plan, report: Reporter = SILENT
) -> None:
    """Rank every query against the gallery and hand out the ranks.

    Raises:
        UsageError: `plan.memory` is below what one tile needs, or there is no such device.
    """
    if plan.device not in ("cpu", "auto"):
        from sbirctl.retrieval.gpu import rank_on

        rank_on(plan.device, problem, consumer, report)
        return
    workers, compiled = _workers(problem, plan)
    own = OwnPhotos(problem) if consumer.own is not None else None
    spare: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for _ in range(workers):
        spare.put(_Worker(problem, own, compiled))

    def work(index: int) -> None:
        worker = spare.get()
        try:
            worker.run(index, consumer)
        finally:
            spare.put(worker)

    with one_blas_thread(), report.bar("ranking", problem.tiles) as advance:
        if workers == 1:
            for index in range(problem.tiles):
                work(index)
                advance()
            return
        pool = ThreadPoolExecutor(workers)
        try:
            for done in as_completed([pool.submit(work, i) for i in range(problem.tiles)]):
                done.result()
                advance()
        finally:
            pool.shutdown(cancel_futures=True)


class _Worker:
    """The buffers of one thread."""

    def __init__(self, problem: RankingProblem, own: OwnPhotos | None, compiled: bool) -> None:
        self._problem = problem
        self._own = own
        self._scores = np.empty((TILE, len(problem.order)), dtype=problem.gallery.dtype)
        self._count = counter(problem, compiled)

    def run(self, index: int, consumer: Consumer) -> None:
        scores, problem = self._scores, self._problem
        problem.scores(index, scores)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for rows, queries, columns in segments(problem, index):
                consumer.ranks(queries, self._count(scores[rows], columns))
        if consumer.own is not None and self._own is not None:
            queries = problem.query[index * TILE : (index + 1) * TILE]
            found = [self._own.rank(q, scores[i]) for i, q in enumerate(queries)]
            consumer.own(queries, np.array(found))


def parse_memory(text: str) -> int | None:
    """A size as people write it: 500M, 2G, 1.5GB; a bare number is bytes; None for "auto".

    Raises:
        UsageError: it is no size.
    """
    if text.strip().lower() == AUTO:
        return None
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([kmgt]?)i?b?", text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is no amount of memory.", "Write it like 500M or 2G.")
    return int(float(match[1]) * 1000 ** " kmgt".index(match[2] or " "))


def _workers(problem: RankingProblem, plan: Plan) -> tuple[int, bool]:
    """How many threads there is memory for, and whether also for compiled code."""
    columns, item = len(problem.order), problem.gallery.dtype.itemsize
    widest = int(np.diff(problem.start).max(initial=0))
    # Scores, a counter's buffers, the relevant scores with their ranks and what metrics make of it.
    each = TILE * columns * item + columns * (3 * item + 32) + TILE * widest * (2 * item + 48)
    fixed = problem.gallery.nbytes + 16 * columns + 10**7
    left = (plan.memory or DEFAULT_MEMORY) - fixed
    if plan.memory is not None and left < each:
        raise UsageError(
            f"--memory {human_bytes(plan.memory)} is too little: {TILE} queries against "
            f"{columns} photos need {human_bytes(fixed + each)}.",
            f"Give at least --memory {-(-(fixed + each) // 10**6)}M.",
        )
    roomy = plan.memory is None or left - COMPILED_MEMORY >= each
    compiled = roomy and worth_compiling(problem)
    possible = (left - COMPILED_MEMORY * compiled) // each
    return int(max(1, min(possible, plan.threads or _cores(), problem.tiles))), compiled


def _cores() -> int:
    available = getattr(os, "sched_getaffinity", None)
    count = len(available(0)) if available else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(count, int(wanted)) if wanted.isdigit() and int(wanted) else count


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep products from starting threads of their own: the tiles already use every core."""
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError:  # only slower: BLAS then runs one product at a time on its own threads
        yield
        return
    with threadpool_limits(limits=1, user_api="blas"):
        yield
