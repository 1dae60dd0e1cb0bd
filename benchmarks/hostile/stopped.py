"""Commands that are killed or stopped, or whose writes fail: is anything lost, and what is said?

The process that calls this has `faults.c` loaded, and imports what the command imported when it ran
undisturbed; each run is a fork of it, and costs what the command does, not what Python needs to
start.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import re
import resource
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sbirctl.core.files import digest_file

from .damaged import UNEXPECTED
from .world import TRAIN

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STOPPED = re.compile(r"Stopped.*\.\n  → Type the same command to .*$")
SECONDS = 300  # of the clock, after which a command has hung


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Attributes:
        name: for the table.
        words: of the command line; "WORLD" in them is the world's folder.
        needs: folders of the world's home that are there before.
        result: what it leaves, given its home.
    """

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...]
    result: Callable[[Path], object]


def _files(*patterns: str) -> Callable[[Path], object]:
    """Digests of the files of a home that match."""

    def found(home: Path) -> object:
        paths = [path for pattern in patterns for path in home.glob(pattern)]
        return {str(path.relative_to(home)): digest_file(path) for path in paths}

    return found


def _gallery(home: Path) -> object:
    from sbirctl.galleries.gallery import Gallery

    with closing(Gallery.open(home / "galleries/new")) as gallery:
        ids = gallery.photo_ids().tolist()
        vectors = {i: v.tobytes() for i, v in zip(ids, gallery.vectors, strict=True) if i}
        return gallery.records(), vectors


_SIDES = ("--photos", "WORLD/raw/photo", "--sketches", "WORLD/raw/sketch")
COMMANDS = (
    Command(
        "prepare",
        ("prepare", "folder", "--name", "new", *_SIDES, "--size", "32", "--workers", "1"),
        (),
        _files("datasets/new/*[n5]"),
    ),
    Command(
        "prepare --edges",
        ("prepare", "folder", "--name", "own", "--edges", "canny"),
        ("datasets/own/images.h5", "datasets/own/manifest.json"),
        _files("datasets/own/*[n5]"),
    ),
    Command(
        "train",
        (*TRAIN, "--epochs", "3"),
        ("datasets",),
        _files("runs/*/checkpoint.safetensors"),
    ),
    Command("embed", ("embed", "-o", "WORLD/home/new.h5"), ("datasets", "runs"), _files("new.h5")),
    Command(
        "index", ("index", "WORLD/raw/photo", "--gallery", "new"), ("datasets", "runs"), _gallery
    ),
    Command(
        "evaluate",
        ("evaluate", "--per-query", "WORLD/home/new.tsv", "--trec", "WORLD/home/new"),
        ("datasets", "runs"),
        _files("runs/*/scores.json", "new.tsv", "new/[!.]*"),
    ),
    Command("export", ("export", "-o", "WORLD/home/new"), ("datasets", "runs"), _files("new/*")),
)


@dataclass
class Tally:
    """What became of the runs of one command.

    Attributes:
        outcomes: done, refused, killed, stopped; crashed, hung, lost.
        failures: what to look at.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fault:
    """What happens in a run.

    Attributes:
        call: number of the writing call, from 1; 0 for none.
        error: its errno; 0 for a kill, less than 0 for a signal of that number.
        stays: all later ones fail too, as on a full disk.
        files: how many may be open; 0 for as many as usual.
        clock: seconds that the clock is back.
    """

    call: int = 0
    error: int = 0
    stays: bool = False
    files: int = 0
    clock: int = 0


class Bench:
    """One command in homes of its own.

    Args:
        world: as `world.make` leaves it.
        scratch: for homes.
        command: which.
    """

    def __init__(self, world: Path, scratch: Path, command: Command) -> None:
        self._world, self._command = world, command
        self.home = scratch / "home"
        self._said, self._modules = scratch / "said", scratch / "modules"
        self.clear()
        self.run(Fault())
        self._import_all()
        self.clear()
        status, self.calls = self.run(Fault())
        if status:
            raise RuntimeError(f"{command.name} fails undisturbed: {self.said()}")
        self._expected = command.result(self.home)

    def clear(self) -> None:
        """A home with no more than the command needs."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        for name in self._command.needs:
            source, target = self._world / "home" / name, self.home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)

    def _import_all(self) -> None:
        """Import what the last run had imported at its end."""
        for name in self._modules.read_text().split():
            if name not in sys.modules:
                with suppress(Exception):  # made by a module of another name
                    importlib.import_module(name)

    def run(self, fault: Fault) -> tuple[int, int]:
        """Exit status (negative for a signal), and how many writing calls there were."""
        child, receiving = self.start(fault)
        with os.fdopen(receiving) as stream:
            calls = stream.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return status, int(calls or 0)

    def start(self, fault: Fault) -> tuple[int, int]:
        """Begin a run; gives its process, and where the number of its writing calls is read."""
        receiving, sending = os.pipe()
        child = os.fork()
        if not child:
            os.close(receiving)
            self._in_child(fault, sending)
        os.close(sending)
        return child, receiving

    def _in_child(self, fault: Fault, sending: int) -> None:
        status = 70
        try:
            os.environ["SBIRCTL_HOME"] = str(self.home)
            said = os.open(self._said, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            for number in (1, 2):
                os.dup2(said, number)
            sys.stdout, sys.stderr = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(2), "w")
            if fault.files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (fault.files, fault.files))
            for number in SIGNALS:  # in the background a shell lets them be ignored
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.alarm(SECONDS)
            from sbirctl.cli import _app, _signals

            _signals.install()
            libc = ctypes.CDLL(None)
            libc.fault_clock(ctypes.c_long(fault.clock))
            libc.fault_arm(os.fsencode(self.home), fault.call, fault.error, int(fault.stays))
            words = [word.replace("WORLD", str(self._world)) for word in self._command.words]
            words = [word.replace(f"{self._world}/home/new", f"{self.home}/new") for word in words]
            status = _app.run(["-q", *words])
            calls = libc.fault_seen()
            libc.fault_arm(b"", 0, 0, 0)
            self._modules.write_text("\n".join(sys.modules))
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(sending, str(calls).encode())
        finally:
            os._exit(status)

    def said(self) -> str:
        """What the last run said."""
        return self._said.read_text(errors="replace").strip()[-300:]

    def wrong(self) -> str:
        """What the command, undisturbed, leaves otherwise than at once; "" for nothing."""
        status, _ = self.run(Fault())
        if status:
            return f"exit status {status}, {self.said()}"
        found, expected = self._command.result(self.home), self._expected
        if found == expected:
            return ""
        if isinstance(found, dict) and isinstance(expected, dict):
            names = {name for name, _ in found.items() ^ expected.items()}
            return f"other than expected: {', '.join(sorted(names))}"
        return "other than expected"

    def judge(self, fault: Fault, tally: Tally) -> None:
        """One run with a fault."""
        status, _ = self.run(fault)
        what = f"{self._command.name} {fault}: {status} {self.said()}"
        if status == -signal.SIGKILL and not fault.error and fault.call:
            tally.outcomes["killed"] += 1
        elif status == 130 and _STOPPED.search(self.said()):
            tally.outcomes["stopped"] += 1
        elif status == -signal.SIGALRM:
            tally.outcomes["hung"] += 1
            tally.failures.append(f"hung: {what}")
        elif status < 0 or status in (70, 130) or UNEXPECTED.search(self._said.read_bytes()):
            tally.outcomes["crashed"] += 1
            tally.failures.append(f"crashed: {what}")
        else:
            tally.outcomes["done" if status == 0 else "refused"] += 1

    def check(self, faults: list[Fault], tally: Tally) -> None:
        """After some faults in one home: is what is left at the end what it should be?"""
        if wrong := self.wrong():
            tally.outcomes["lost"] += 1
            tally.failures.append(f"lost: {self._command.name} {faults}: {wrong}")


def kill(bench: Bench, count: int, rng: Random, clock: int = 0, each: int = 4) -> Tally:
    """`count` kills at random writing calls, up to `each` in one home before it is finished.

    A command that ended before its call came is counted as done, not as killed.

    Args:
        clock: seconds by which the clock is back in every second run.
    """
    tally = Tally()
    while tally.outcomes["killed"] < count and not tally.outcomes["hung"]:
        bench.clear()
        faults: list[Fault] = []
        left = bench.calls
        while len(faults) < each and left:
            faults.append(Fault(rng.randint(1, left), clock=clock * (len(faults) % 2)))
            left -= faults[-1].call
            bench.judge(faults[-1], tally)
        bench.check(faults, tally)
    return tally


def fail(
    bench: Bench, count: int, rng: Random, errors: tuple[int, ...], full: int, each: int = 3
) -> Tally:
    """`count` writing calls that fail, one a run, up to `each` in one home before it is finished.

    Those of the error `full` fail from then on to the end of their run. A home is finished as soon
    as a run has done its work all the same.
    """
    tally, number = Tally(), 0
    while number < count:
        bench.clear()
        faults: list[Fault] = []
        left = bench.calls
        while number < count and len(faults) < each and left:
            error = errors[number % len(errors)]
            faults.append(Fault(rng.randint(1, left), error, error == full))
            left -= faults[-1].call
            number += 1
            done = tally.outcomes["done"]
            bench.judge(faults[-1], tally)
            if tally.outcomes["done"] > done:
                break
        bench.check(faults, tally)
    return tally


def stop(bench: Bench, count: int, rng: Random) -> Tally:
    """`count` signals that ask a command to end, each at a random writing call."""
    tally = Tally()
    for number in range(count):
        bench.clear()
        fault = Fault(rng.randint(1, bench.calls), -SIGNALS[number % len(SIGNALS)])
        bench.judge(fault, tally)
        if left := [path.name for path in bench.home.rglob(".*.unfinished")]:
            tally.outcomes["lost"] += 1
            tally.failures.append(f"left behind: {fault}: {left}")
        bench.check([fault], tally)
    return tally


def twice(bench: Bench, count: int, rng: Random) -> Tally:
    """A command that halts at a random writing call while the same is run; then it goes on."""
    tally = Tally()
    for _ in range(count):
        bench.clear()
        fault = Fault(rng.randint(1, bench.calls), -signal.SIGSTOP)
        first, receiving = bench.start(fault)
        halted = os.WIFSTOPPED(os.waitpid(first, os.WUNTRACED)[1])
        if halted:
            bench.judge(Fault(), tally)
            os.kill(first, signal.SIGCONT)
            status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
            if status:
                tally.outcomes["crashed"] += 1
                tally.failures.append(f"crashed: the first of two: {status}")
        os.close(receiving)
        bench.check([fault], tally)
    return tally


def few_files(bench: Bench, allowed: tuple[int, ...] = (64, 40, 24, 16)) -> Tally:
    """Runs with few open files, each in a home of its own."""
    tally = Tally()
    for files in allowed:
        bench.clear()
        fault = Fault(files=files)
        bench.judge(fault, tally)
        said = bench.said()
        if "damaged" in said:
            tally.outcomes["lost"] += 1
            tally.failures.append(f"called damage: {files} files: {said}")
        bench.check([fault], tally)
    return tally
