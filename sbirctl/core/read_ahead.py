"""Loading in background threads, a little ahead of need, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def read_ahead(items: Iterable[T], load: Callable[[T], R], workers: int) -> Iterator[R]:
    """`map(load, items)` in order, with at most `workers + 1` results made ahead of need.

    Args:
        items: what to load; consumed in the calling thread.
        load: called in a background thread; its errors are raised here, in order.
        workers: threads; 0 loads in the calling thread.
    """
    if workers == 0:
        yield from map(load, items)
        return
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="sbirctl-read") as pool:
        try:
            for item in items:
                pending.append(pool.submit(load, item))
                if len(pending) > workers + 1:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
