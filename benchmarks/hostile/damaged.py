"""Damaged files by the thousand: each worker process reads many, and one that dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from .kinds import Kind, damage, kinds

SECONDS = 120  # of the clock, after which a file has hung
MEMORY = 8 << 30  # no process may take more
UNEXPECTED = re.compile(rb"should not happen|Traceback \(most recent", re.IGNORECASE)
OURS = re.compile(rb"(error: |warning: |note: |  \S|Stopped)")


@dataclass
class Tally:
    """What became of the damaged files of one kind.

    Attributes:
        outcomes: how many were read, refused, crashed, hung.
        slowest: seconds of processor of the most expensive.
        peak: bytes, the most any worker held.
        grown: bytes, the most by which one file raised a worker's peak.
        foreign: lines on stderr that are not ours, by their text.
        failures: what to look at: file kept, outcome, first line.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    peak: int = 0
    grown: int = 0
    foreign: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    def count(self, outcome: str, seconds: float, peak: int, grown: int, foreign: str) -> None:
        """One more file."""
        self.outcomes[outcome] += 1
        self.slowest = max(self.slowest, seconds)
        self.peak, self.grown = max(self.peak, peak), max(self.grown, grown)
        if foreign:
            self.foreign[foreign] += 1


def attack(world: Path, kind: Kind, count: int, seed: int, keep: Path | None = None) -> Tally:
    """Let `count` damaged files of one kind be read.

    Args:
        world: as `world.make` leaves it; it is copied.
        kind: what is damaged.
        seed: file i depends on it, on the kind and on i alone.
        keep: where files that failed are kept.
    """
    tally, done = Tally(), 0
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        copy = Path(scratch) / "world"
        while done < count:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(world, copy)
            receiving, sending = multiprocessing.Pipe(duplex=False)
            worker = multiprocessing.get_context("fork").Process(
                target=_read_all, args=(copy, kind.name, range(done, count), seed, sending)
            )
            worker.start()
            sending.close()
            for outcome, seconds, peak, grown, line, foreign in _answers(receiving):
                tally.count(outcome, seconds, peak, grown, foreign)
                if outcome == "crashed":
                    kept = _kept(copy / f"failed-{done}", kind, done, seed, keep)
                    tally.failures.append((kept, outcome, line))
                done += 1
            worker.join()
            if worker.exitcode:
                outcome = "hung" if worker.exitcode == -signal.SIGALRM else "crashed"
                tally.count(outcome, 0, 0, 0, "")
                kept = _kept(copy / kind.place, kind, done, seed, keep)
                tally.failures.append((kept, outcome, f"exit status {worker.exitcode}"))
                done += 1
    return tally


def _answers(receiving: Connection) -> Iterator[tuple[str, float, int, int, str, str]]:
    try:
        while True:
            yield receiving.recv()
    except EOFError:
        return


def _kept(place: Path, kind: Kind, number: int, seed: int, keep: Path | None) -> str:
    """Keep a file that failed; gives its new place."""
    if keep is None or not place.exists():
        return f"{kind.name} {seed} {number}"
    keep.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", kind.name) + f"-{seed}-{number}{Path(kind.place).suffix}"
    return str(shutil.copy(place, keep / name))


def _read_all(world: Path, name: str, numbers: range, seed: int, sending: Connection) -> None:
    """In a worker: damage, read, say what came of it."""
    os.environ |= {"SBIRCTL_HOME": str(world / "home"), "OMP_NUM_THREADS": "1"}
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = next(one for one in kinds(world) if one.name == name)
    target = world / kind.place
    whole = target.read_bytes()
    said = os.open(world / "said", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(said, stream)
    sys.stdout, sys.stderr = (
        os.fdopen(os.dup(stream), "w", errors="backslashreplace") for stream in (1, 2)
    )
    target.write_bytes(whole)
    _status(kind, target)  # what is loaded once is not counted with the first file
    for number in numbers:
        damage(kind, Random(f"{seed} {name} {number}"), whole, target)
        os.ftruncate(said, 0)
        os.lseek(said, 0, os.SEEK_SET)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        clock = time.process_time()
        signal.alarm(SECONDS)
        status = _status(kind, target)
        signal.alarm(0)
        clock = time.process_time() - clock
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        text = os.pread(said, 1 << 16, 0)
        outcome = "read" if status == 0 else "refused"
        first = next((x for x in text.splitlines() if UNEXPECTED.search(x)), b"")
        if first:
            outcome = "crashed"
            shutil.copy(target, world / f"failed-{number}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        said_by = "" if status == 0 else _foreign(text)
        line = first.decode("utf-8", "replace")
        sending.send((outcome, clock, peak * 1024, (peak - before) * 1024, line, said_by))


def _foreign(text: bytes) -> str:
    """A line that a library wrote; of what a command prints there is none when it fails."""
    found = next((x[:80] for x in text.splitlines() if b"ib" in x and not OURS.match(x)), b"")
    return found.decode("utf-8", "replace")


def _status(kind: Kind, target: Path) -> int:
    from sbirctl.cli import _endings

    try:
        return kind.read(target)
    except BaseException as error:
        return _endings.end(error, verbose=False)
