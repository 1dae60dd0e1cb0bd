"""Damaged files, writes that fail and kills: what the program does then.

    python benchmarks/faults.py damaged [--count 20000] [--only KIND] [--keep FOLDER]
    python benchmarks/faults.py kills [--count 400] [--only COMMAND]
    python benchmarks/faults.py writes [--count 1000] [--only COMMAND]
    python benchmarks/faults.py signals|twice|clock [--count 100] [--only COMMAND]
    python benchmarks/faults.py handles
    python benchmarks/faults.py served [--count 5000]

`damaged` reads files of every kind the program reads, damaged at random. `kills` ends commands by a
signal that nothing can catch, at calls that write; `writes` lets such calls fail (ENOSPC, EDQUOT,
EIO, EINTR); both then let the command end and compare what it leaves. So do `signals` (SIGINT,
SIGTERM, SIGHUP), `twice` (the same command while it runs) and `clock` (kills, with the clock three
days back in every second run). `handles` allows 64 open files, and fewer. All of these need a C
compiler. `served` asks a running server among hostile uploads. `--seed` chooses another campaign,
`--world FOLDER` keeps what all of it starts from. Exit status 1 where something crashed, hung or
was lost.
"""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.hostile import damaged, kinds, served, stopped, world

MB = 1 << 20
ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EINTR)
STOPPED = ("kills", "writes", "signals", "twice", "clock", "handles")
DAYS = 3 * 24 * 3600
_LOADED = "SBIRCTL_FAULTS_LOADED"


def main() -> None:
    """Run one part and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("damaged", *STOPPED, "served"))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--world", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        if given.part in STOPPED and _LOADED not in os.environ:
            sys.exit(with_faults(Path(scratch)))
        place = world.make((given.world or Path(scratch) / "world").absolute())
        run = {"damaged": damage_all, "served": serve_all}.get(given.part, stop_all)
        sys.exit(not run(place, given))


def with_faults(scratch: Path) -> int:
    """Run this again with the library that lets calls fail."""
    library = scratch / "faults.so"
    source = Path(__file__).parent / "hostile/faults.c"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    environment = os.environ | {"LD_PRELOAD": str(library), _LOADED: "1"}
    return subprocess.run([sys.executable, *sys.argv], env=environment).returncode


def damage_all(place: Path, given: argparse.Namespace) -> bool:
    """Damaged files of all kinds; whether none crashed or hung."""
    chosen = [kind for kind in kinds.kinds(place) if given.only in kind.name]
    each = -(-given.count // sum(kind.share for kind in chosen))
    print("| kind | tried | read | refused | crashed | hung | s | slowest, s | grown, MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    whole = True
    for kind in chosen:
        clock = time.monotonic()
        tally = damaged.attack(place, kind, each * kind.share, given.seed, given.keep)
        n = tally.outcomes
        counts = " | ".join(str(n[name]) for name in ("read", "refused", "crashed", "hung"))
        seconds = time.monotonic() - clock
        print(
            f"| {kind.name} | {n.total()} | {counts} | {seconds:.0f} | {tally.slowest:.2f} | "
            f"{tally.grown / MB:.0f} |",
            flush=True,
        )
        for failure in tally.failures:
            print("   ", *failure, file=sys.stderr, flush=True)
        for line, count in tally.foreign.most_common(3):
            print(f"    {count} × {line}", file=sys.stderr, flush=True)
        whole = whole and not (n["crashed"] or n["hung"])
    return whole


def serve_all(place: Path, given: argparse.Namespace) -> bool:
    """A server among hostile uploads; whether it said nothing that should not be."""
    found = served.attack(place, given.count, given.seed)
    for line in served.summary(found):
        print(line)
    print(found.said, file=sys.stderr)
    return not found.said and not found.answers[500]


def stop_all(place: Path, given: argparse.Namespace) -> bool:
    """Kills, failing writes and the like in all commands; whether nothing was lost."""
    names = ("done", "refused", "killed", "stopped", "crashed", "hung", "lost")
    print(f"| command | writing calls | {' | '.join(names)} | s |")
    print("|---|---|" + "---|" * (len(names) + 1))
    chosen = [one for one in stopped.COMMANDS if given.only in one.name]
    whole = True
    for command in chosen:
        clock = time.monotonic()
        rng = Random(f"{given.seed} {command.name}")
        with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
            bench = stopped.Bench(place, Path(scratch), command)
            count = -(-given.count // len(chosen))
            tally = _part(given.part, bench, count, rng)
        n = tally.outcomes
        counts = " | ".join(str(n[name]) for name in names)
        seconds = time.monotonic() - clock
        print(f"| {command.name} | {bench.calls} | {counts} | {seconds:.0f} |", flush=True)
        for failure in tally.failures:
            print("   ", failure, file=sys.stderr, flush=True)
        whole = whole and not (n["crashed"] or n["hung"] or n["lost"])
    return whole


def _part(name: str, bench: stopped.Bench, count: int, rng: Random) -> stopped.Tally:
    if name == "kills":
        return stopped.kill(bench, count, rng)
    if name == "clock":
        return stopped.kill(bench, count, rng, clock=DAYS)
    if name == "writes":
        return stopped.fail(bench, count, rng, ERRORS, errno.ENOSPC)
    if name == "signals":
        return stopped.stop(bench, count, rng)
    if name == "twice":
        return stopped.twice(bench, count, rng)
    return stopped.few_files(bench)


if __name__ == "__main__":
    main()
