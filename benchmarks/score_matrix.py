"""Time and most memory of `sbirctl evaluate` on a score matrix of Sketchy Extended's test size.

    python benchmarks/score_matrix.py [--queries 12694] [--gallery 12553] [--folder DIR]

The matrix (float32, random with a bonus for pairs of one class) is written to HDF5 in blocks, then
one process evaluates it; its largest resident size, the mapped file among it, is what counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

BLOCK = 512
CLASSES = 21


def write(path: Path, queries: int, gallery: int) -> None:
    """The file."""
    rng = np.random.default_rng(0)
    label, other = rng.integers(0, CLASSES, queries), rng.integers(0, CLASSES, gallery)
    with h5py.File(path, "w") as file:
        scores = file.create_dataset("scores", (queries, gallery), dtype="f4")
        for start in range(0, queries, BLOCK):
            own = label[start : start + BLOCK, None] == other
            noise = rng.standard_normal(own.shape, dtype=np.float32)
            scores[start : start + len(own)] = own + noise
        file["query_label"], file["gallery_label"] = label, other


def main() -> None:
    """Write, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=12_694)
    parser.add_argument("--gallery", type=int, default=12_553)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "scores.h5"
        write(path, options.queries, options.gallery)
        begun = time.perf_counter()
        command = [sys.executable, "-m", "sbirctl", "evaluate", str(path)]
        process = subprocess.Popen(command)
        _, status, used = os.wait4(process.pid, 0)
        print(
            f"{options.queries} x {options.gallery}, {path.stat().st_size / 1e6:.0f} MB: status "
            f"{os.waitstatus_to_exitcode(status)}, {time.perf_counter() - begun:.1f} s, "
            f"{used.ru_utime + used.ru_stime:.1f} s of processor, "
            f"peak {used.ru_maxrss / 1e6:.2f} GB"
        )


if __name__ == "__main__":
    main()
