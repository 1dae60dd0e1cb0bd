"""Functions in processes of their own, each call with a bound on processor time and memory.

What decodes a file from elsewhere may take minutes or gigabytes, or crash, inside a library that
nothing in Python can stop. Here the system stops it, and only that call fails. Memory is bounded on
Linux alone, where the system counts what a process may write to.
"""

from __future__ import annotations

import importlib
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import human_bytes

P = ParamSpec("P")
R = TypeVar("R")
_CHILD = "from sbirctl.core._bounded_child import main; main()"
# By the clock, a process that waits for a processor has so many times the bound of its seconds.
_CLOCK = 12


@dataclass(frozen=True)
class Bounds:
    """What one call may take.

    Attributes:
        seconds: of processor.
        memory: bytes beyond what the process holds before the call.
    """

    seconds: float
    memory: int


class OutOfBoundsError(CorruptError):
    """A call was stopped; the message is the reason, without a file's name."""


class CrashedError(OutOfBoundsError):
    """A call ended its process, by a fault in a library."""


class BoundedProcesses:
    """Runs functions in up to `most` processes, which are started when they are first needed.

    Safe among threads. The processes end with this one, however it ends.

    Args:
        bounds: of every call.
        most: processes.
        patience: seconds of processor after which a call is stopped if all processes are busy and
            another call waits; None to let it wait. Of the clock where the system does not tell
            what another process has used; a busy machine then stops calls that cost little.
        module: what a process imports before its first call, which does not count.
    """

    def __init__(
        self, bounds: Bounds, most: int = 1, patience: float | None = None, module: str = __name__
    ) -> None:
        self._bounds, self._most, self._patience, self._module = bounds, most, patience, module
        self._idle: list[_Process] = []
        self._busy: list[_Process] = []
        self._changed = threading.Condition()

    def run(self, function: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
        """`function(*arguments, **keywords)`; it and they cross to the process as a pickle.

        Raises:
            OutOfBoundsError: it took too much, or ended its process.
            Exception: what the function raises.
            OSError: no process could be started.
        """
        process = self._take()
        try:
            answer: R = process.call(function, arguments, keywords)
            return answer
        finally:
            with self._changed:
                self._busy.remove(process)
                if process.alive:
                    self._idle.append(process)
                self._changed.notify()

    def start(self) -> None:
        """Start one process, so that the first call does not wait for it.

        Raises:
            OutOfBoundsError, OSError: it cannot be.
        """
        self.run(_nothing)

    def close(self) -> None:
        """End the processes; calls under way fail."""
        with self._changed:
            for process in (*self._idle, *self._busy):
                process.stop("the program ends")
            self._idle.clear()

    def _take(self) -> _Process:
        with self._changed:
            while not self._idle and len(self._busy) >= self._most:
                self._changed.wait(self._make_way())
            process = self._idle.pop() if self._idle else _Process(self._bounds, self._module)
            self._busy.append(process)
            return process

    def _make_way(self) -> float | None:
        """Stop the longest call if its time is up; gives the seconds until it may be."""
        if self._patience is None:
            return None
        used, longest = max(((one.used(), one) for one in self._busy), key=lambda pair: pair[0])
        if used < self._patience:
            return max(0.05, self._patience - used)
        longest.stop(f"it takes more than {self._patience:g} s, and others wait")
        return 0.05


class _Process:
    """One process, which answers one call after the other."""

    def __init__(self, bounds: Bounds, module: str) -> None:
        self._bounds, self._module = bounds, module
        self._why = ""
        self._since = math.inf  # when its call began
        self._before = 0.0  # seconds of processor then
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD],  # -P: not what lies in the working folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries write there, past Python
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C is for this process, which then ends the other
        )

    @property
    def alive(self) -> bool:
        return not self._why

    def used(self) -> float:
        """Seconds of processor of the call under way; 0 before it has begun."""
        if self._since == math.inf:
            return 0.0
        now = self._processor()
        return time.monotonic() - self._since if now is None else now - self._before

    def _processor(self) -> float | None:
        """Seconds of processor since its start; None where the system does not tell."""
        try:
            fields = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError, AttributeError):
            return None

    def stop(self, why: str) -> None:
        self._why = self._why or why
        self._child.kill()

    def call(self, function: object, arguments: object, keywords: object) -> Any:
        sending, receiving = self._pipes()
        clock = threading.Timer(_CLOCK * self._bounds.seconds, self.stop, [self._too_slow()])
        clock.daemon = True
        clock.start()
        try:
            if self._module:
                self._ask(None, importlib.import_module, (self._module,), {})
                self._module = ""
            self._before = self._processor() or 0.0
            self._since = time.monotonic()
            returned, value = self._ask(self._bounds, function, arguments, keywords)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise self._died() from error
        except BaseException:  # an interruption: its answer must not be taken for the next one's
            self.stop("it was interrupted")
            raise
        finally:
            clock.cancel()
            self._since = math.inf
            if not self.alive:
                self._child.kill()
                self._child.wait()
                for pipe in (sending, receiving):
                    with suppress(OSError):
                        pipe.close()
        if returned:
            return value
        if isinstance(value, MemoryError):
            most = human_bytes(self._bounds.memory)
            raise OutOfBoundsError(f"it takes more than {most} of memory")
        raise value

    def _ask(self, *what: object) -> tuple[bool, Any]:
        sending, receiving = self._pipes()
        pickle.dump(what, sending, protocol=5)
        sending.flush()
        answer: tuple[bool, Any] = pickle.load(receiving)
        return answer

    def _died(self) -> OutOfBoundsError:
        self._child.kill()
        status = self._child.wait()
        if status == -getattr(signal, "SIGPROF", 0):
            self._why = self._why or self._too_slow()
        if not self._why:
            self._why = f"its decoder crashed (status {status})"
            return CrashedError(self._why)
        return OutOfBoundsError(self._why)

    def _too_slow(self) -> str:
        return f"it takes more than {self._bounds.seconds:g} s of processor"

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        sending, receiving = self._child.stdin, self._child.stdout
        assert sending is not None
        assert receiving is not None
        return sending, receiving


def _nothing() -> None:
    """What `start` asks for."""
