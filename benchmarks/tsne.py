"""t-SNE of many points: `tsne`'s two ways, their time and their trustworthiness.

    python benchmarks/tsne.py [--points 20000]

The vectors are class-structured, sketches further from their centre than photos and shifted. Both
ways begin with the same principal components; the baseline is scikit-learn's Barnes-Hut.
One thread, as the program takes: over several a layout depends on their number.
"""

from __future__ import annotations

import argparse
import os
import time
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

from sbirctl.report.trustworthiness import trustworthiness
from sbirctl.report.tsne import BARNES_HUT, INTERPOLATED, lay_out

CLASSES, DIMENSIONS = 125, 512


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--perplexity", type=float, default=30.0)
    parser.add_argument("--methods", nargs="+", default=[INTERPOLATED, BARNES_HUT])
    given = parser.parse_args()
    points = vectors(given.points)
    load = os.getloadavg()[0]
    print(f"{given.points:,} points of {DIMENSIONS} numbers, one thread, load {load:.1f}")
    print("| way | seconds | of the processor | trustworthiness |")
    print("|---|---:|---:|---:|")
    for method in given.methods:
        if not find_spec(method.replace("scikit-learn", "sklearn")):
            print(f"| {method}: not installed | | | |")
            continue
        clock, used = time.perf_counter(), time.process_time()
        xy = lay_out(points, given.perplexity, 0, method)
        clock, used = time.perf_counter() - clock, time.process_time() - used
        trust = trustworthiness(points, xy, 10)
        print(
            f"| {method} {version(method)} | {clock:.1f} | {used:.1f} | {trust:.4f} |", flush=True
        )


def vectors(count: int) -> np.ndarray:
    """(count, 512) float32 unit vectors of both modalities around a random centre a class."""
    rng = np.random.default_rng(0)
    centre = rng.standard_normal((CLASSES, DIMENSIONS), dtype=np.float32)
    label, sketch = rng.integers(0, CLASSES, count), rng.integers(0, 2, count)
    shift = 0.3 * rng.standard_normal(DIMENSIONS, dtype=np.float32)
    noise = np.where(sketch, 1.6, 1.2).astype(np.float32)[:, None]
    made: np.ndarray = centre[label] + sketch[:, None].astype(np.float32) * shift
    made += noise * rng.standard_normal(made.shape, dtype=np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
