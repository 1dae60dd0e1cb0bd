"""Galleries are brought up to date when the page opens, by a process of its own.

The server itself changes nothing. It starts what `sbirctl index --gallery NAME` starts, for those
that belong to the user who serves them, one after the other and behind everything else.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.galleries.database import DATABASE, LOCK

_AGAIN = 60.0  # seconds in which a gallery is not looked at a second time
_NICE = 10


class Renewal:
    """Indexes galleries again in the background; safe among threads.

    Args:
        command: what brings a gallery up to date, as JSON on stdout; its name is added.
        place_of: the folder of a gallery by name.
        objection: why a gallery is better left as it is, "" where nothing speaks against it.
        report: told of what is begun and what came of it.
    """

    def __init__(
        self,
        command: Sequence[str],
        place_of: Callable[[str], Path],
        objection: Callable[[str], str] = lambda _: "",
        report: Reporter = SILENT,
    ) -> None:
        self._command = list(command)
        self._place_of = place_of
        self._objection = objection
        self._report = report
        self._asked: dict[str, float] = {}
        self._open: set[str] = set()
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, names: Iterable[str]) -> None:
        """Look soon whether the photos of some galleries have changed; does not wait for it."""
        now = time.monotonic()
        with self._lock:
            for name in names:
                recent = now - self._asked.get(name, -_AGAIN) < _AGAIN
                if self._closed or recent or not is_own(self._place_of(name)):
                    continue
                self._asked[name] = now
                self._open.add(name)
                self._waiting.put(name)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, daemon=True)
                    self._thread.start()

    def is_open(self, name: str) -> bool:
        """Whether a gallery is being looked at, or waits for it."""
        with self._lock:
            return name in self._open

    def close(self) -> None:
        """Stop; what was begun is continued by the next `sbirctl index`."""
        with self._lock:
            self._closed = True
            if self._child is not None:
                self._child.terminate()
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while (name := self._waiting.get()) is not None:
            try:
                self._renew(name)
            except Exception as error:  # the page goes on without
                self._report.warn(f"{display_path(name)} could not be indexed again: {error}")
            finally:
                with self._lock:
                    self._open.discard(name)

    def _renew(self, name: str) -> None:
        shown = display_path(name)
        reason = self._objection(name)
        if reason:
            self._report.note(f"{shown} is not indexed again: {reason}")
            return
        with self._lock:
            if self._closed:
                return
            child = self._child = subprocess.Popen(
                [*self._command, name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        self._report.note(f"looking for new photos of {shown}")
        _behind_all_else(child.pid)
        out, err = child.communicate()
        with self._lock:
            self._child = None
            if self._closed:
                return
        if child.returncode:
            self._report.warn(f"{shown} could not be indexed again: {_first_line(err)}")
            return
        found = json.loads(out)
        self._report.note(f"{shown} has {found['photos']:,} photos, {found['embedded']:,} new.")


def is_own(place: Path) -> bool:
    """Whether a gallery may be changed without being asked: it is this user's, and writable."""
    paths = [place, place / DATABASE]
    if (place / LOCK).exists():
        paths.append(place / LOCK)
    try:
        if hasattr(os, "getuid") and any(os.lstat(one).st_uid != os.getuid() for one in paths):
            return False
    except OSError:
        return False
    return all(os.access(one, os.W_OK) for one in paths)


def _behind_all_else(pid: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, pid, _NICE)
    except (AttributeError, OSError):  # another system, or it has ended
        return


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return display_path((errors or lines or ["it said nothing"])[0])
