"""Building and asking the engines with synthetic vectors: time, memory, latency, recall.

    python benchmarks/engines.py [--vectors 1000000] [--dim 512] [--engines exact,faiss:ivf,…]

The vectors are in bundles around random centres with a spectrum that falls as that of trained
networks does; the queries are further from their bundle than photos are, as sketches' are. Each
engine runs in a process of its own, for its memory: what opening it adds, and after the queries
what the process holds itself and what is mapped from files, which the system may take back. Latency
is of one query at a time, after ten that warm up; of `exact` also of one whose file is not in the
system's cache. Recall is of exact's first 20. Times are of the processor too (all threads
together), which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import cast

import numpy as np

from sbirctl.galleries.engines import ID, Engine, SavedEngine, engine_class
from sbirctl.galleries.engines.exact import Exact
from sbirctl.galleries.gallery import map_vectors

ASKED = 100


def synthetic(count: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, dim) photos and (ASKED, dim) queries: float32 unit vectors."""
    rng = np.random.default_rng(0)
    fall = (1 + np.arange(dim, dtype=np.float32)) ** -0.5
    centres = rng.standard_normal((max(count // 500, 20), dim), dtype=np.float32) * fall
    photos = np.empty((count, dim), dtype=np.float32)
    for start in range(0, count, 100_000):
        block = photos[start : start + 100_000]
        block[:] = centres[rng.integers(0, len(centres), len(block))]
        block += 0.8 * fall * rng.standard_normal(block.shape, dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    queries = centres[rng.integers(0, len(centres), ASKED)]
    queries = queries + 1.2 * fall * rng.standard_normal(queries.shape, dtype=np.float32)
    return photos, queries / np.linalg.norm(queries, axis=1, keepdims=True)


def measure(spec: str, count: int, dim: int, truth: np.ndarray | None) -> np.ndarray:
    """Print one engine's row; gives what it found, (ASKED, 20) ids."""
    photos, queries = synthetic(count, dim)
    ids = np.array([f"{n:08x}" * 8 for n in range(count)], dtype=ID)
    engine: Engine = engine_class(spec)(spec, dim)
    clock, processor = time.perf_counter(), time.process_time()
    engine.add(ids, photos)
    built, worked = time.perf_counter() - clock, time.process_time() - processor
    with tempfile.TemporaryDirectory() as name:
        if spec == "exact":  # which searches the gallery's own file
            photos.tofile(Path(name) / "vectors-1.f32")
        else:
            cast(SavedEngine, engine).save(Path(name))
        size = sum(path.stat().st_size for path in Path(name).iterdir())
        names = ids if spec == "exact" else ids[:0]
        del engine, photos, ids
        before = _resident("VmRSS")
        clock = time.perf_counter()
        if spec == "exact":
            engine = _exact(Path(name) / "vectors-1.f32", names, dim)
        else:
            engine = cast(type[SavedEngine], engine_class(spec)).load(Path(name), spec, dim)
        opened = time.perf_counter() - clock
        held = _resident("VmRSS") - before
        taken = []
        found = np.zeros((ASKED, 20), dtype=ID)
        for row in [*range(10), *range(ASKED)]:
            clock, processor = time.perf_counter(), time.process_time()
            found[row] = engine.search(queries[row : row + 1], 20).ids[0]
            spent = time.perf_counter() - clock, time.process_time() - processor
            taken.append(1000 * np.array(spent))
        own, file = _resident("RssAnon"), _resident("RssFile")
        if spec == "exact":
            del engine  # what is mapped cannot leave the cache
            cold = _cold(Path(name) / "vectors-1.f32", names, queries[:5])
    median, high = np.percentile(np.array(taken[10:])[:, 0], [50, 95])
    busy = np.median(np.array(taken[10:])[:, 1])
    share = 1.0
    if truth is not None:
        share = float(np.mean([np.isin(a, b).mean() for a, b in zip(truth, found, strict=True)]))
    print(
        f"{spec:12}{built:9.1f}{worked:9.1f}{opened:9.2f}{size / 1e6:9.0f}{held / 1e6:9.0f}"
        f"{own / 1e6:9.0f}{file / 1e6:9.0f}{median:9.1f}{high:9.1f}{busy:9.1f}{share:9.3f}",
        flush=True,
    )
    if spec == "exact":
        print(f"{'':12}with nothing of the file in the cache: {cold:.0f} ms", flush=True)
    return found


def _exact(file: Path, ids: np.ndarray, dim: int) -> Exact:
    """The engine over a gallery's own file, mapped."""
    engine = Exact("exact", dim)
    engine._ids, engine._vectors = ids, map_vectors(file, len(ids), dim)
    return engine


def _cold(file: Path, ids: np.ndarray, queries: np.ndarray) -> float:
    """Median milliseconds of an answer whose vectors have to be read from the disk."""
    taken = []
    for query in queries:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        clock = time.perf_counter()
        _exact(file, ids, queries.shape[1]).search(query[None], 20)
        taken.append(1000 * (time.perf_counter() - clock))
    return float(np.median(taken))


def _resident(what: str) -> int:
    """Bytes of this process in memory: "VmRSS" all, "RssAnon" its own, "RssFile" mapped files."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def main() -> None:
    """Print a row an engine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument(
        "--engines", default="exact,faiss:flat,faiss:sq,faiss:pq,faiss:ivf,faiss:hnsw"
    )
    options = parser.parse_args()
    print(f"{options.vectors:,} x {options.dim}, {ASKED} queries one at a time")
    print(
        f"{'engine':12}{'build s':>9}{'(proc.)':>9}{'open s':>9}{'disk MB':>9}{'held MB':>9}"
        f"{'own MB':>9}{'file MB':>9}{'median':>9}{'95th ms':>9}{'(proc.)':>9}{'rec@20':>9}"
    )
    truth = None
    for spec in options.engines.split(","):
        with get_context("spawn").Pool(1) as pool:
            found = pool.apply(measure, (spec, options.vectors, options.dim, truth))
        truth = found if truth is None else truth


if __name__ == "__main__":
    main()
