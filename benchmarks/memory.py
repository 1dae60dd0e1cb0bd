"""The most memory each stage holds, as the system counts it, at the size given (Linux).

    python benchmarks/memory.py --images 145000          # Sketchy Extended's number, drawn
    python benchmarks/memory.py --prepare "sketchy --from FOLDER"
    python benchmarks/memory.py --dataset NAME           # prepared already

Every stage is the real command in processes of its own, watched from outside. Training is stopped
after some dozens of steps: by then it holds all it ever will. "private" leaves out what is only a
window on a file. The aim is 2 GB a process; a network's activations come on top where the batch is
not computed in pieces (MobileNetV2 at 128 px, 64 images: 1.5 GB more).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prepare import drawn

PLAIN = ["--weights", "none", "--device", "cpu", "--set", "mirror=false"]
# In pieces, since the activations of a whole batch would hide what the rest takes.
TRAINED = ["--set", "backbone=mobilenetv2_100", "--set", "size=128", "--set", "accumulate=4"]
EMBEDDED = ["--set", "backbone=mobilenetv3_small_050", "--set", "size=64"]  # reading is what counts
# Sketchy Extended: test sketches and photos of 21 unseen classes of 125, among 144,680 images.
QUERIES, GALLERY, ALL, DIMENSIONS = 12_694, 12_553, 144_680, 512


@dataclass
class Peak:
    """The most a process held, in bytes, and how many processes there were at once."""

    total: int = 0
    private: int = 0
    processes: int = 0
    seconds: float = 0.0

    def look(self, root: int) -> None:
        """Take the process and its descendants into account."""
        family = descendants(root)
        self.processes = max(self.processes, len(family))
        for process in family:
            try:
                status = Path(f"/proc/{process}/status").read_text()
            except OSError:  # it ended meanwhile
                continue
            self.total = max(self.total, field(status, "VmHWM"))
            self.private = max(self.private, field(status, "RssAnon"))


def field(status: str, name: str) -> int:
    """Bytes of a line of /proc/PID/status, 0 where it is missing."""
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def descendants(root: int) -> list[int]:
    """A process and all it started."""
    found = [root]
    for process in found:
        try:
            text = Path(f"/proc/{process}/task/{process}/children").read_text()
        except OSError:
            continue
        found.extend(int(number) for number in text.split())
    return found


def watch(arguments: list[str], enough: Callable[[], bool] = lambda: False) -> Peak:
    """Run one command to its end, or until there is enough, and look at it all the time."""
    peak, start = Peak(), time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "sbirctl", "--quiet", *arguments], stdout=subprocess.DEVNULL
    )
    while child.poll() is None:
        peak.look(child.pid)
        if enough():
            child.terminate()
            child.wait()
            break
        time.sleep(0.05)
    else:
        if child.returncode:
            sys.exit(f"sbirctl {' '.join(arguments)} ended with status {child.returncode}")
    peak.seconds = time.monotonic() - start
    return peak


def steps_made(home: Path) -> int:
    """Steps that the newest log holds."""
    logs = sorted(home.glob("runs/*/log.jsonl"), key=lambda path: path.stat().st_mtime)
    steps = re.findall(r'"step": (\d+)', logs[-1].read_text()) if logs else []
    return int(steps[-1]) if steps else 0


def vectors(path: Path, share: float) -> Path:
    """An embeddings file as large as Sketchy's, or a share of it."""
    rng = np.random.default_rng(0)
    sides = {}
    for name, count in (("query", QUERIES), ("gallery", GALLERY)):
        made = rng.standard_normal((max(100, int(count * share)), DIMENSIONS), dtype=np.float32)
        sides[name] = made / np.linalg.norm(made, axis=1, keepdims=True)
        sides[f"{name}_label"] = np.arange(len(made)) % 21
    np.savez(path, **sides)
    return path


def main() -> None:
    """Print one line a stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4000, help="pictures to draw")
    parser.add_argument("--prepare", default="", help="what to type after `sbirctl prepare`")
    parser.add_argument("--dataset", default="", help="a prepared data set in SBIRCTL_HOME")
    parser.add_argument("--steps", type=int, default=40, help="of training")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found: dict[str, Peak] = {}
        home = Path(scratch) / "home"
        name, share = given.dataset, 1.0
        if name:
            (home / "datasets").mkdir(parents=True)
            before = Path(os.environ["SBIRCTL_HOME"]) / "datasets" / name
            (home / "datasets" / name).symlink_to(before.absolute())
        os.environ["SBIRCTL_HOME"] = str(home)
        if not name:
            name, words = "bench", given.prepare.split()
            if not words:
                share = min(1.0, given.images / ALL)
                raw = drawn(Path(scratch) / "raw", given.images)
                words = f"folder --photos {raw}/photo --sketches {raw}/sketch".split()
                words += ["--unseen-fraction", "0.168"]
            found["prepare"] = watch(["prepare", *words, "--name", name])
        run = ["train", "baseline", "--dataset", name, *PLAIN, *TRAINED, "--epochs", "1"]
        found[f"train, {given.steps} steps"] = watch(run, lambda: steps_made(home) >= given.steps)
        out = ["-o", str(Path(scratch) / "embedded.h5")]
        found["embed"] = watch(["embed", "baseline", "--dataset", name, *PLAIN, *EMBEDDED, *out])
        file = vectors(Path(scratch) / "vectors.npz", share)
        found["evaluate"] = watch(["evaluate", str(file)])
    print(f"{'':20}MB a process   private   processes   seconds")
    for stage, peak in found.items():
        print(
            f"{stage:20}{peak.total / 1e6:12.0f}{peak.private / 1e6:10.0f}{peak.processes:12d}"
            f"{peak.seconds:10.0f}"
        )


if __name__ == "__main__":
    main()
