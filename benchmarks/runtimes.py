"""`index` by ONNX Runtime beside `index` by torch: the same network, photos and steps, in turns.

    python benchmarks/runtimes.py PHOTOS [--weights FILE] [--count N] [--rounds N]

MobileNetV2 at 128 px (--weights: timm's `mobilenetv2_100`, else random values). Each round indexes
the photos once by either runtime, reading and decoding included, with one thread; the best round
counts, in time of the processor, which a busy machine disturbs less. Decoding alone is timed too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sbirctl.galleries.embedder import Embedder
from sbirctl.galleries.indexing import index
from sbirctl.pipeline.gallery_model import ModelChoice, choose
from sbirctl.store.images import load_image

SETTINGS = ("backbone=mobilenetv2_100", "mean=0.5", "std=0.5", "size=128", "mirror=false")
RUNTIMES = ("onnx", "torch")


def seconds(work: Callable[[], object]) -> float:
    """Of the processor, all threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def indexed(embedder: Embedder, folder: Path) -> None:
    """Index a folder into a gallery that is thrown away."""
    with tempfile.TemporaryDirectory() as place:
        index(Path(place) / "g", [bytes(folder.absolute())], embedder, "exact", workers=0)


def decoded(folder: Path, size: int) -> None:
    """Read and decode alone."""
    for path in folder.iterdir():
        load_image(path.read_bytes(), "photo", size)


def main() -> None:
    """Print a line a runtime."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", default="none")
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    files = sorted(path for path in options.photos.rglob("*.jpg"))
    with tempfile.TemporaryDirectory() as name:
        os.environ["SBIRCTL_HOME"] = name
        folder = Path(name) / "photos"
        folder.mkdir()
        chosen = np.linspace(0, len(files) - 1, min(options.count, len(files))).astype(int)
        for number, at in enumerate(chosen):
            (folder / f"{number}.jpg").symlink_to(files[at].absolute())
        embedders = {
            runtime: choose(
                ModelChoice("baseline", options.weights, SETTINGS, runtime=runtime), None, "cpu"
            )
            for runtime in RUNTIMES
        }
        taken: dict[str, list[float]] = {name: [] for name in (*RUNTIMES, "decoding")}
        for _ in range(options.rounds):
            for runtime, embedder in embedders.items():
                taken[runtime].append(seconds(lambda e=embedder: indexed(e, folder)))
            taken["decoding"].append(seconds(lambda: decoded(folder, 128)))
        best = {name: len(chosen) / min(values) for name, values in taken.items()}
    print(f"{len(chosen)} photos, images a second of the processor")
    for name, rate in best.items():
        print(f"{name:10}{rate:8.1f}")
    print(f"onnx / torch {best['onnx'] / best['torch']:.2f}")


if __name__ == "__main__":
    main()
