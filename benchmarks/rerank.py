"""Processor time and memory of `sbirctl rerank` at the size of Sketchy's test side (Linux).

    python benchmarks/rerank.py                     # 12,694 queries, 12,553 photos, 512 dimensions
    python benchmarks/rerank.py --queries 1000 --photos 1000

Each method is the real command in a process of its own, on one thread; its result is then
evaluated. The vectors are random around 21 centres, so that there are mutual neighbours. "private"
leaves out what is only a window on a file (`scores` are read from the disk).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

METHODS = {
    "alpha-qe": ("a.npz",),
    "dba": ("a.npz",),
    "k-reciprocal": ("a.npz",),
    "rrf": ("a.npz", "b.npz"),
    "score-sum": ("a.npz", "b.npz"),
}
_MEGABYTE = 1e6


def main() -> None:
    """Print a line a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=12_694)
    parser.add_argument("--photos", type=int, default=12_553)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where files go (some GB)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        for seed, file in enumerate(("a.npz", "b.npz")):
            save(folder / file, seed, chosen)
        print("command\tprocessor s\tpeak MB\tprivate MB\tfile MB")
        for method, files in METHODS.items():
            watch(folder, "rerank", *files, "--method", method, "-o", "out.h5")
            watch(folder, "evaluate", "out.h5", "-m", "map@all")
            (folder / "out.h5").unlink()


def save(path: Path, seed: int, chosen: argparse.Namespace) -> None:
    """Random vectors whose noise differs by seed."""
    centre = np.random.default_rng(9).standard_normal((21, chosen.dim)).astype(np.float32)
    rng = np.random.default_rng(seed)
    sides = {}
    for side, size in (("query", chosen.queries), ("gallery", chosen.photos)):
        label = np.arange(size) % 21
        noise = rng.standard_normal((size, chosen.dim), dtype=np.float32)
        sides |= {side: centre[label] + 3 * noise, f"{side}_label": label}
    np.savez(path, **sides)


def watch(folder: Path, *command: str) -> None:
    """Run a command and print what it took."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "sbirctl", "-q", *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    private = 0
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        private = max(private, anonymous(process.pid))
        time.sleep(0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    made = (folder / "out.h5").stat().st_size
    seconds = usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss * 1024
    figures = f"{seconds:.1f}\t{peak / _MEGABYTE:.0f}\t{private / _MEGABYTE:.0f}"
    print(f"{' '.join(command[:-2])}\t{figures}\t{made / _MEGABYTE:.0f}", flush=True)


def anonymous(pid: int) -> int:
    """Bytes of a process's memory that are no file's."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
