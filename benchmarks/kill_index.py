"""`kill -9` during `sbirctl index` at random moments, then the same command: the same gallery?

    python benchmarks/kill_index.py FOLDER [--kills 10] [--seed 0] -- [options of sbirctl index]

An uninterrupted run is timed first; then the command is killed at moments drawn over that time and
typed once more. Both galleries are compared: model, files, and every vector to the bit.
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
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from sbirctl.core.errors import SbirctlError
from sbirctl.galleries.database import connect
from sbirctl.galleries.gallery import Gallery


def content(place: Path) -> tuple[object, ...]:
    """All that a gallery says: model, folders, files, and the vector of each photo.

    Not where the model was exported to, which is in the home, nor the state, which depends on it.
    """
    with closing(Gallery.open(place)) as gallery:
        ids = gallery.photo_ids().tolist()
        vectors = {i: v.tobytes() for i, v in zip(ids, gallery.vectors, strict=True) if i}
        kept = replace(gallery.record, export=""), gallery.folders, gallery.engine
        names = {path.name for path in place.iterdir()} - {".lock"}
        return kept, gallery.records(), vectors, names


def kept(place: Path) -> int:
    """Photos that are embedded and will not be again."""
    try:
        with closing(connect(place)) as opened:
            return int(opened.execute("SELECT count(*) FROM photos").fetchone()[0])
    except SbirctlError:
        return 0


def main() -> None:
    """Print what was killed and whether the galleries are equal; exit status 1 where not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = sys.argv[1:]
    own_end = given.index("--") if "--" in given else len(given)
    options, more = parser.parse_args(given[:own_end]), given[own_end + 1 :]
    words = [sys.executable, "-m", "sbirctl", "-q", "index", str(options.folder), "--gallery", "g"]
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
            print(f"{turn + 1}: {state} after {moment:.1f} s, {kept(place)} photos", flush=True)
        subprocess.run(words, check=True, env=own)
        one, other = (content(Path(home) / "galleries" / "g") for home in (whole, killed))
    print(f"{len(one[2])} photos, the galleries are {'equal' if one == other else 'NOT equal'}")
    sys.exit(one != other)


if __name__ == "__main__":
    main()
