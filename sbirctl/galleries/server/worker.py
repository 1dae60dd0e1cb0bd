"""Threads with a queue of bounded length: what does not fit is refused, not piled up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sbirctl.galleries.server.http_errors import HttpError

T = TypeVar("T")


class Worker:
    """Runs functions in threads of its own, in the order they came.

    Args:
        name: of the threads.
        threads: how many functions run at a time.
        waiting: how many more may wait.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + waiting
        self._inside = 0

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work()`; where the caller is cancelled before its turn, it never runs.

        Raises:
            HttpError: the queue is full.
        """
        if self._inside >= self._room:
            raise HttpError(503, "Too many are asking at once.", "Try again in a moment.", retry=1)
        loop = asyncio.get_running_loop()
        self._inside += 1
        held = [work]  # the pool keeps a cancelled job until its turn; it must not keep uploads
        job = self._pool.submit(lambda: held.pop()())
        job.add_done_callback(lambda _: self._left(loop, held))
        return await asyncio.wrap_future(job)

    def close(self) -> None:
        """Forget what waits; what runs is finished."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _left(self, loop: asyncio.AbstractEventLoop, held: list[Callable[[], T]]) -> None:
        held.clear()
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._inside -= 1
