"""Reading random batches: from the files themselves, from a store, and from its arrays by h5py.

    python benchmarks/store_reading.py [--from FOLDER] [--images 2000] [--batches 30] [--rounds 3]

The baseline decodes and resizes the original files anew. Without --from it draws pictures of its
own. FOLDER has sub-folders photo/ and sketch/ with a folder a class below.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from prepare import SIZE, drawn

from sbirctl.pipeline.prepare import prepare
from sbirctl.store.images import load_image
from sbirctl.store.manifest import MODALITIES
from sbirctl.store.reader import IMAGES, Store

BATCH = 32  # photos, and as many sketches
Read = Callable[[np.random.Generator], int]


def main() -> None:
    """Measure in turns, print the best rate of each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, help="folder with photo/ and sketch/")
    parser.add_argument("--images", type=int, default=2000, help="pictures to draw")
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SBIRCTL_HOME"] = f"{scratch}/home"
        source = given.source or drawn(Path(scratch) / "raw", given.images)
        inputs = {"photos": [source / "photo"], "sketches": [source / "sketch"]}
        folder = prepare("folder", inputs, name="bench", workers=1)
        assert folder is not None
        store = Store.open(folder)
        size = (folder / IMAGES).stat().st_size
        print(f"{len(store.items)} images, {size:,} bytes")
        with h5py.File(folder / IMAGES) as file:
            ways = {
                "files": from_files(source),
                "store": from_store(store),
                "h5py, a row at a time": by_h5py(file),
            }
            best = dict.fromkeys(ways, 0.0)
            for _ in range(given.rounds):
                for name, read in ways.items():
                    best[name] = max(best[name], rate(read, given.batches))
        for name, found in best.items():
            print(f"{name:24}{found:10.0f} images/s{found / best['files']:8.1f}")


def from_files(source: Path) -> Read:
    """Reads a batch from the files themselves."""
    paths = {m: sorted(p for p in (source / m).rglob("*.*") if p.is_file()) for m in MODALITIES}

    def read(rng: np.random.Generator) -> int:
        for modality, found in paths.items():
            for index in rng.integers(len(found), size=BATCH):
                load_image(found[index].read_bytes(), modality, SIZE)
        return len(paths) * BATCH

    return read


def from_store(store: Store) -> Read:
    """Reads a batch from a store."""

    def read(rng: np.random.Generator) -> int:
        for modality in MODALITIES:
            store.read(modality, rng.integers(store.rows(modality), size=BATCH))
        return len(MODALITIES) * BATCH

    return read


def by_h5py(file: h5py.File) -> Read:
    """Reads a batch from a store's file as anybody would; `array[rows]` is slower still."""

    def read(rng: np.random.Generator) -> int:
        for modality in MODALITIES:
            array = file[modality]
            batch = np.empty((BATCH, *array.shape[1:]), dtype=np.uint8)
            for place, row in enumerate(rng.integers(len(array), size=BATCH)):
                array.read_direct(batch, np.s_[int(row)], np.s_[place])
        return len(MODALITIES) * BATCH

    return read


def rate(read: Read, batches: int) -> float:
    """Images per second of processor time, everything being in the system's cache."""
    rng = np.random.default_rng(0)
    read(rng)
    start = time.process_time()
    done = sum(read(rng) for _ in range(batches))
    return done / (time.process_time() - start)


if __name__ == "__main__":
    main()
