"""`kill -9` during `sbirctl index` at random moments, then the same command: the same gallery?

    python benchmarks/kill_index.py FOLDER [--kills 10] [--seed 0] -- [options of sbirctl index]

An uninterrupted run is timed first; then the command is killed at moments drawn over that time and
typed once more. Every file of both galleries is compared, byte for byte.
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
from pathlib import Path


def files_of(place: Path) -> dict[str, bytes]:
    """Everything in a gallery's folder but the lock."""
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def main() -> None:
    """Print what was killed and whether the galleries are equal; exit status 1 where not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = sys.argv[1:]
    own_end = given.index("--") if "--" in given else len(given)
    options, more = parser.parse_args(given[:own_end]), given[own_end + 1 :]
    words = [sys.executable, "-m", "sbirctl", "-q", "index", str(options.folder), "--name", "g"]
    words += more
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as killed:
        clock = time.perf_counter()
        subprocess.run(words, check=True, env={**os.environ, "SBIRCTL_HOME": whole})
        taken = time.perf_counter() - clock
        rng = random.Random(options.seed)
        own = {**os.environ, "SBIRCTL_HOME": killed}
        place = Path(killed) / "galleries" / "g"
        for turn in range(options.kills):
            moment = rng.uniform(0.2, 1) * taken
            child = subprocess.Popen(words, env=own, stdout=subprocess.DEVNULL)
            time.sleep(moment)
            child.send_signal(signal.SIGKILL)
            state = "killed" if child.wait() == -signal.SIGKILL else "was done"
            parts = len(list(place.glob("*/*.npz")))
            print(f"{turn + 1}: {state} after {moment:.1f} s, {parts} parts", flush=True)
        subprocess.run(words, check=True, env=own)
        one, other = (files_of(Path(home) / "galleries" / "g") for home in (whole, killed))
    differ = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    print(f"{len(one)} files, {len(differ)} differ {' '.join(differ)}".strip())
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
