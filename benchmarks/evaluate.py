"""Exact evaluation against the bare float32 matrix product, measured in one run.

    python benchmarks/evaluate.py                       # Sketchy's size
    python benchmarks/evaluate.py --size quickdraw --repeats 1
    python benchmarks/evaluate.py --size small --device cuda
    python benchmarks/evaluate.py --no-numba

The vectors are random but class-structured: a centre a class plus noise. The baseline is NumPy's
product of all queries with the gallery, in blocks of 2,048 queries, on all cores, nothing else.
Beside it: one query at a time with scikit-learn (and torchmetrics where it is installed), on a
sample of the queries and extrapolated (`--sample 0` leaves both out). Ten definitions, and 1,000
bootstrap rounds over queries and over classes, are to cost at most a tenth more than the metrics
alone. Processor seconds (of all threads) are given beside the
clock, since other work on the same cores disturbs them less. The best of several repeats leaves out
what importing numba costs once; the memory counts it in.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sbirctl.pipeline.scores import intervals
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.definitions import PRESETS
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, evaluate
from sbirctl.retrieval.ranking import Plan

SIZES = {
    "small": (2_000, 4_000, 20),
    "sketchy": (12_694, 12_553, 21),
    "quickdraw": (92_291, 54_151, 30),
}
METRICS = ("map@all", "map@200", "prec@100", "prec@200", "recall@200")
BLOCK = 2048


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of the processors, over all threads."""

    clock: float
    processor: float

    def times(self, factor: float) -> Cost:
        """The same work `factor` times."""
        return Cost(self.clock * factor, self.processor * factor)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="sketchy")
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--noise", type=float, default=4.0, help="times the centres' deviation")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample", type=int, default=40, help="queries of the naive loops")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-numba", action="store_true", help="as if numba were not installed")
    given = parser.parse_args()
    if given.no_numba:
        sys.modules["numba"] = None  # type: ignore[assignment]

    e = vectors(*SIZES[given.size], given.dimensions, given.noise)
    parsed = [measures.parse(name) for name in METRICS]
    options = Options(plan=Plan(device=given.device))
    definitions = [d for d in PRESETS.values() if d.similarity == "cosine"]
    definitions = [d for d in definitions if d.gallery == "photos"]
    definitions.append(replace(definitions[0], name="grouped", ties="grouped"))
    standard = evaluate(e, parsed, [PRESETS["standard"]], options)
    ways = {
        "bare float32 product": lambda: product(e),
        f"`evaluate`, {len(METRICS)} metrics": lambda: evaluate(
            e, parsed, [PRESETS["standard"]], options
        ),
        f"the same under {len(definitions)} definitions": lambda: evaluate(
            e, parsed, definitions, options
        ),
        "1,000 bootstrap rounds over queries": lambda: intervals(e, standard[0], "query"),
        "1,000 bootstrap rounds over classes": lambda: intervals(e, standard[0], "class"),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    beyond = 0.0
    for _ in range(given.repeats):
        for name, work in ways.items():
            before = peak(reset=True)
            costs[name].append(timed(work))
            if name.startswith("`evaluate`"):
                beyond = max(beyond, peak() - before)

    q, n, _ = SIZES[given.size]
    base = best(costs["bare float32 product"])
    print(f"{q:,} queries x {n:,} photos x {given.dimensions}, {given.device}; {machine()}\n")
    print("| what | seconds | times the product | processor seconds | times |")
    print("|---|---|---|---|---|")
    for name, found in costs.items():
        row(name, best(found), base)
    if given.sample:
        naive = naive_loop(e, given.sample)
        row(f"scikit-learn, one query at a time (from {given.sample})", naive, base)
        if (other := torchmetrics_loop(e, given.sample)) is not None:
            row(f"torchmetrics, one query at a time (from {given.sample})", other, base)
    print(f"\nMemory beyond the embeddings: {beyond / 1e6:.0f} MB. Repeats: {given.repeats}, best.")
    print(f"Load average at the end: {os.getloadavg()[0]:.1f}.")


def vectors(queries: int, photos: int, classes: int, dimensions: int, noise: float) -> Embeddings:
    """Unit vectors around a random centre a class."""
    rng = np.random.default_rng(0)
    centre = rng.standard_normal((classes, dimensions), dtype=np.float32)

    def side(count: int) -> tuple[np.ndarray, np.ndarray]:
        label = np.sort(rng.integers(0, classes, count))
        made = centre[label]
        made += noise * rng.standard_normal((count, dimensions), dtype=np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return made, label

    (query, query_label), (gallery, gallery_label) = side(queries), side(photos)
    names = tuple(str(i) for i in range(classes))
    return Embeddings(query, gallery, query_label, gallery_label, names)


def product(e: Embeddings) -> None:
    """The bare product, block by block into one buffer."""
    out = np.empty((BLOCK, len(e.gallery)), dtype=np.float32)
    for start in range(0, len(e.query), BLOCK):
        block = e.query[start : start + BLOCK]
        np.matmul(block, e.gallery.T, out=out[: len(block)])


def naive_loop(e: Embeddings, sample: int) -> Cost:
    """What all queries cost, from a sample: product, scikit-learn's AP, argsort, precisions."""
    from sklearn.metrics import average_precision_score

    rows = np.linspace(0, len(e.query) - 1, sample).astype(int)

    def loop() -> None:
        for row in rows:
            scores = e.gallery @ e.query[row]
            relevant = e.gallery_label == e.query_label[row]
            average_precision_score(relevant, scores)
            order = np.argsort(-scores)[:200]
            average_precision_score(relevant[order], scores[order])
            for k in (100, 200):
                relevant[order[:k]].mean()

    return timed(loop).times(len(e.query) / sample)


def torchmetrics_loop(e: Embeddings, sample: int) -> Cost | None:
    """The same with torchmetrics' retrieval functions, None where it is not installed."""
    try:
        import torch
        from torchmetrics.functional.retrieval import (
            retrieval_average_precision,
            retrieval_precision,
        )
    except ImportError:
        return None
    rows = np.linspace(0, len(e.query) - 1, sample).astype(int)

    def loop() -> None:
        for row in rows:
            scores = torch.from_numpy(e.gallery @ e.query[row])
            relevant = torch.from_numpy(e.gallery_label == e.query_label[row])
            retrieval_average_precision(scores, relevant)
            retrieval_average_precision(scores, relevant, top_k=200)
            for k in (100, 200):
                retrieval_precision(scores, relevant, top_k=k)

    return timed(loop).times(len(e.query) / sample)


def timed(work: Callable[[], object]) -> Cost:
    """What one call of `work` costs."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - clock, time.process_time() - processor)


def best(found: list[Cost]) -> Cost:
    """The least of each, over repeats."""
    return Cost(min(c.clock for c in found), min(c.processor for c in found))


def row(label: str, cost: Cost, base: Cost) -> None:
    """One line of the table."""
    clock, processor = cost.clock / base.clock, cost.processor / base.processor
    print(f"| {label} | {cost.clock:.2f} | {clock:.2f} | {cost.processor:.2f} | {processor:.2f} |")


def peak(*, reset: bool = False) -> float:
    """Largest memory of this process in bytes since the last reset (Linux)."""
    if reset:
        ctypes.CDLL(None).malloc_trim(
            0
        )  # what the vectors' making left behind is no memory of ours
        Path("/proc/self/clear_refs").write_text("5")
    line = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line[1]) * 1024.0 if line else 0.0


def machine() -> str:
    """Processor count and versions that matter."""
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in ("numpy", "scikit-learn"))
    versions += f", numba {metadata.version('numba')}" if find_spec("numba") else ", no numba"
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}, {versions}"


if __name__ == "__main__":
    main()
