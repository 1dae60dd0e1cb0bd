"""Whether `prepare`, killed again and again at full size, ends with the very same bytes.

    python benchmarks/prepare_killed.py --from FOLDER [--dataset sketchy] [--moments 10] [--seed 0]

The command runs once undisturbed, while the largest memory of each of its processes is noted. Then
it is killed at the renames that its own process makes, by a signal that nothing can catch, and
continued by the same command each time; and once more at random moments, while its processes
decode. The files of all three stores are compared. (The tests of the store kill it at every rename
of a small one.)
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sbirctl.core.files import digest_file, human_bytes

FILES = ("images.h5", "manifest.json")
UNFINISHED = "unfinished"
# (folder and name of the file that is renamed into place, killed before it or after it)
WRITES = (
    (f"{UNFINISHED}/images.h5", True),
    (f"{UNFINISHED}/images.h5", False),
    ("{store}/images.h5", True),
    ("{store}/images.h5", False),
    ("{store}/manifest.json", True),
)
# Runs the command line with a rename that kills its own process.
DYING = """
import os, signal, sys
ending, before = sys.argv[1], sys.argv[2] == "True"
rename = os.replace
def dying(start, end):
    now = os.fspath(end).endswith(ending)
    if now and before:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(start, end)
    if now:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = dying
from sbirctl.cli._app import run
if __name__ == "__main__":
    sys.exit(run(sys.argv[3:]))
"""


@dataclass
class Bench:
    """One data set, prepared in homes of its own."""

    scratch: Path
    dataset: str
    words: list[str]

    def folder(self, home: str) -> Path:
        """Where the store lies."""
        return self.scratch / home / "datasets" / self.dataset

    def start(self, home: str, code: list[str]) -> subprocess.Popen[bytes]:
        """Start the command."""
        environment = os.environ | {"SBIRCTL_HOME": str(self.scratch / home)}
        command = [sys.executable, *code, "prepare", self.dataset, *self.words]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)

    def shards(self, home: str) -> int:
        """How many shards are made."""
        return len(list((self.folder(home) / UNFINISHED).glob("*.json")))

    def digests(self, home: str) -> dict[str, str]:
        """SHA-256 of the store's files."""
        return {name: digest_file(self.folder(home) / name) for name in FILES}


def main() -> None:
    """Run the three, print what was seen; the exit status says whether all bytes are the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--dataset", default="sketchy")
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="processes; one a processor by default")
    parser.add_argument("--scratch", type=Path, help="where the stores may lie meanwhile")
    given = parser.parse_args()
    words = ["--from", str(given.source)]
    words += ["--workers", str(given.workers)] if given.workers else []
    with tempfile.TemporaryDirectory(dir=given.scratch) as scratch:
        bench = Bench(Path(scratch), given.dataset, words)
        expected, shards = undisturbed(bench)
        same = [
            compare(bench, home, killed, expected)
            for home, killed in (
                ("writes", lambda: at_writes(bench)),
                ("moments", lambda: at_moments(bench, shards, given.moments, given.seed)),
            )
        ]
    sys.exit(not all(same))


def undisturbed(bench: Bench) -> tuple[dict[str, str], int]:
    """Digests of the result, and the number of shards."""
    start = time.perf_counter()
    process = bench.start("whole", ["-m", "sbirctl"])
    peaks, shards = dict[int, int](), 0
    while process.poll() is None:
        for pid in [process.pid, *children(process.pid)]:
            peaks[pid] = max(peaks.get(pid, 0), peak_memory(pid))
        shards = max(shards, bench.shards("whole"))
        time.sleep(0.02)
    if process.returncode:
        sys.exit(f"prepare ended with {process.returncode}")
    print(f"undisturbed: {time.perf_counter() - start:.1f} s, at least {shards} shards")
    own = peaks.pop(process.pid)
    print(f"  largest memory: {human_bytes(own)}, its processes", end=" ")
    print(", ".join(human_bytes(peak) for peak in sorted(peaks.values())[::-1]) or "none", end="")
    print(f", together {human_bytes(own + sum(peaks.values()))}")
    for name, digest in bench.digests("whole").items():
        print(f"  {name:14} {digest}", flush=True)
    return bench.digests("whole"), shards


def compare(bench: Bench, home: str, killed: Callable[[], int], expected: dict[str, str]) -> bool:
    """Kill and continue, let it end, and say whether the files are the expected ones."""
    count = killed()
    if bench.start(home, ["-m", "sbirctl"]).wait():
        sys.exit("the last run failed")
    same = bench.digests(home) == expected and not (bench.folder(home) / UNFINISHED).exists()
    print(
        f"killed {count} times at {home}: {'the same bytes' if same else 'OTHER BYTES'}", flush=True
    )
    return same


def at_writes(bench: Bench) -> int:
    """Killed around renames; gives how often."""
    for name, before in WRITES:
        ending = name.format(store=bench.dataset)
        status = bench.start("writes", ["-c", DYING, ending, str(before)]).wait()
        if status != -signal.SIGKILL:
            sys.exit(f"not killed at the rename to {ending}: status {status}")
    return len(WRITES)


def at_moments(bench: Bench, shards: int, moments: int, seed: int) -> int:
    """Killed at random moments spread over the work; gives how often."""
    rng = random.Random(seed)
    count = 0
    for share in sorted(rng.random() for _ in range(moments)):
        process = bench.start("moments", ["-m", "sbirctl"])
        while bench.shards("moments") < share * shards and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.random())
        process.send_signal(signal.SIGKILL)
        count += process.wait() == -signal.SIGKILL
    return count


def children(pid: int) -> Iterator[int]:
    """Processes a process has started, and theirs."""
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from children(int(child))
    except OSError:
        return


def peak_memory(pid: int) -> int:
    """Most resident memory of a process so far, in bytes; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
