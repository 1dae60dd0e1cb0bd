"""What a store's encoding costs and saves: making it, its size, and reading random batches from it.

    python benchmarks/encodings.py [--from FOLDER] [--images 2000] [--batches 30]

The baseline of reading is decoding and resizing the original files anew. Without --from it draws
pictures of its own. FOLDER has sub-folders photo/ and sketch/ with a folder a class below.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from prepare import SIZE, drawn

from sbirctl.pipeline.prepare import prepare
from sbirctl.store.images import load_image
from sbirctl.store.manifest import MODALITIES
from sbirctl.store.reader import IMAGES, Store

BATCH = 32  # photos, and as many sketches


def main() -> None:
    """Print one line an encoding."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, help="folder with photo/ and sketch/")
    parser.add_argument("--images", type=int, default=2000, help="pictures to draw")
    parser.add_argument("--batches", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SBIRCTL_HOME"] = f"{scratch}/home"
        source = given.source or drawn(Path(scratch) / "raw", given.images)
        inputs = {"photos": [source / "photo"], "sketches": [source / "sketch"]}
        base = read_rate(files(source), given.batches)
        print(f"{'':10}{'made, images/s':>16}{'bytes an image':>16}{'read, images/s':>16}   ratio")
        print(f"{'files':10}{'':16}{'':16}{base:16.0f}{1:8.2f}")
        for encoding in ("raw", "gzip"):
            start = time.process_time()
            settings = {"encoding": encoding}
            folder = prepare("folder", inputs, name=encoding, settings=settings, workers=1)
            assert folder is not None
            taken = time.process_time() - start
            store = Store.open(folder)
            size = (folder / IMAGES).stat().st_size / len(store.items)
            rate = read_rate(rows(store), given.batches)
            made = len(store.items) / taken
            print(f"{encoding:10}{made:16.0f}{size:16.0f}{rate:16.0f}{rate / base:8.2f}")


def files(source: Path) -> Callable[[np.random.Generator], int]:
    """Reads a batch from the files themselves."""
    paths = {m: sorted(p for p in (source / m).rglob("*.*") if p.is_file()) for m in MODALITIES}

    def read(rng: np.random.Generator) -> int:
        for modality, found in paths.items():
            for index in rng.integers(len(found), size=BATCH):
                load_image(found[index].read_bytes(), modality, SIZE)
        return len(paths) * BATCH

    return read


def rows(store: Store) -> Callable[[np.random.Generator], int]:
    """Reads a batch from a store."""

    def read(rng: np.random.Generator) -> int:
        for modality in MODALITIES:
            store.read(modality, rng.integers(store.rows(modality), size=BATCH))
        return len(MODALITIES) * BATCH

    return read


def read_rate(read: Callable[[np.random.Generator], int], batches: int) -> float:
    """Images per second of processor time, everything being in the system's cache."""
    rng = np.random.default_rng(0)
    read(rng)
    start = time.process_time()
    done = sum(read(rng) for _ in range(batches))
    return done / (time.process_time() - start)


if __name__ == "__main__":
    main()
