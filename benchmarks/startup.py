"""How long commands take to start, beside the interpreter and beside importing NumPy alone.

    python benchmarks/startup.py [--repeats 5]

Each command is a process of its own; best of the repeats. `--help` is to be under 0.4 s and
`evaluate` of a small file under 1 s on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import numpy'": ["-c", "import numpy"],
    "sbirctl --version": ["-m", "sbirctl", "--version"],
    "sbirctl --help": ["-m", "sbirctl", "--help"],
    "sbirctl models": ["-m", "sbirctl", "models"],
    "sbirctl evaluate FILE": ["-m", "sbirctl", "evaluate", "FILE"],
}


def small_file(path: Path) -> Path:
    """Embeddings of 500 sketches and 500 photos of 10 classes, 64 dimensions."""
    rng = np.random.default_rng(0)
    label = np.arange(500) % 10
    centre = rng.standard_normal((10, 64), dtype=np.float32)
    vectors = [centre[label] + rng.standard_normal((500, 64), dtype=np.float32) for _ in range(2)]
    query, gallery = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors)
    np.savez(path, query=query, gallery=gallery, query_label=label, gallery_label=label)
    return path


def seconds(arguments: list[str]) -> tuple[float, float]:
    """One start by the clock, and in seconds of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    clock = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def main() -> None:
    """Print one line a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SBIRCTL_HOME"] = folder
        file = str(small_file(Path(folder) / "small.npz"))
        best: dict[str, tuple[float, float]] = {}
        for _ in range(repeats):
            for name, given in COMMANDS.items():
                found = seconds([file if word == "FILE" else word for word in given])
                old = best.get(name, found)
                best[name] = min(old[0], found[0]), min(old[1], found[1])
    base = best["python -c 'import numpy'"]
    print(f"{'':28}seconds   times NumPy's import   processor s   times")
    for name, (clock, processor) in best.items():
        ratios = clock / base[0], processor / base[1]
        print(f"{name:28}{clock:7.2f}{ratios[0]:15.1f}{processor:20.2f}{ratios[1]:10.1f}")


if __name__ == "__main__":
    main()
