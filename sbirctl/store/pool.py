"""Worker processes for the store's writer."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from sbirctl.core.device import keep_freed_memory
from sbirctl.core.errors import SbirctlError
from sbirctl.core.plugins import load_files, loaded_files

T = TypeVar("T")
R = TypeVar("R")
_FEW_TASKS = 4  # for so few, starting processes takes longer than the work


class Workers:
    """Does tasks in processes that are started when there is enough to do, else in this one.

    Args:
        count: number of processes; None for one a processor, 1 for none beside this one.
    """

    def __init__(self, count: int | None = None) -> None:
        self._count = (os.cpu_count() or 1) if count is None else count
        self._pool: ProcessPoolExecutor | None = None

    def start(self, function: Callable[[T], R], tasks: int) -> None:
        """Start the processes now if `function` will have so many tasks for them.

        They load what they need while this process still finds out what is to be done.
        """
        if self._count <= 1 or tasks <= _FEW_TASKS or self._pool is not None:
            return
        # A fork would take over locks and threads of libraries that do not expect it.
        context = multiprocessing.get_context("spawn")
        processes = min(self._count, tasks)
        self._pool = ProcessPoolExecutor(
            processes, context, initializer=_start, initargs=(loaded_files(),)
        )
        for _ in range(processes):  # they are started one by one, as tasks come
            self._pool.submit(importlib.import_module, function.__module__)

    def each(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[T, R]]:
        """Tasks and their results, in the order in which they are done.

        Raises:
            SbirctlError: a process was killed from outside.
        """
        self.start(function, len(tasks))
        if self._pool is None:
            yield from ((task, function(task)) for task in tasks)
            return
        try:
            futures = {self._pool.submit(function, task): task for task in tasks}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise SbirctlError(
                "A process that was decoding images was killed, perhaps for lack of memory.",
                "The same command continues; --workers 1 needs least memory.",
            ) from error

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _start(plugins: Sequence[Path]) -> None:
    """Leave Ctrl-C to the parent, and end when it does, even when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()  # else every picture's pages are mapped anew, a tenth of the time
    warnings.simplefilter("ignore")  # Pillow's, on oddities of files that decode all the same
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    load_files(plugins)
