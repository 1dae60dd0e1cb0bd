"""Indexing beside the bare forward pass, a search from the command line, and a warm answer.

    python benchmarks/search.py [--model RUN|baseline] [--photos FOLDER] [--drawings FOLDER]

Without folders the demo's pictures are drawn. Indexing reads, decodes, digests, embeds and writes
a gallery; the baseline embeds the same decoded photos in the same batches. A warm answer is what a
server does for a drawing: decode, clean, place, embed, search; its share without the model's
forward pass is printed for a gallery of 100,000 vectors too. Everything is printed in time of the
processor as well (of all threads together), which a busy machine disturbs less.
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

from sbirctl.drawings.reading import read_drawing
from sbirctl.galleries.embedder import Embedder
from sbirctl.galleries.engines import ID
from sbirctl.galleries.engines.exact import Exact
from sbirctl.galleries.indexing import BATCH, index
from sbirctl.galleries.searcher import Searcher
from sbirctl.galleries.walk import walk
from sbirctl.pipeline.gallery_model import ModelChoice
from sbirctl.pipeline.index import index as index_command
from sbirctl.store.images import load_image

SMALL = ("backbone=mobilenetv2_100", "mean=0.5", "std=0.5", "size=128", "mirror=false")


def draw(folder: Path) -> tuple[Path, Path]:
    """The demo's photos and drawings as files."""
    from sbirctl.datasets.demo import THINGS, DemoOptions, draw

    options = DemoOptions(pixels=256)
    for modality, count in (("photo", 20), ("sketch", 8)):
        for name in THINGS:
            for number in range(count):
                path = folder / modality / name / f"{number}.{'jpg' if count == 20 else 'png'}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(draw(options, modality, name, number))
    return folder / "photo", folder / "sketch"


def indexing(embedder: Embedder, photos: Path, rounds: int) -> None:
    """Print photos a second of the forward pass alone and of indexing."""
    files = [file.path for file in walk([bytes(photos.absolute())]).files]
    size = embedder.record.size
    pixels = [load_image(Path(os.fsdecode(p)).read_bytes(), "photo", size) for p in files]
    bare, whole = [], []
    for _ in range(rounds):
        clock = _clocks()
        for start in range(0, len(pixels), BATCH):
            embedder.embed(np.stack(pixels[start : start + BATCH]), "photo")
        bare.append(len(pixels) / (_clocks() - clock))
        with tempfile.TemporaryDirectory() as place:
            clock = _clocks()
            index(Path(place) / "g", [bytes(photos.absolute())], embedder, "exact")
            whole.append(len(files) / (_clocks() - clock))
    one, other = np.max(bare, axis=0), np.max(whole, axis=0)
    print(f"{'':22}photos/s  of the processor, {len(files):,} photos")
    print(f"{'forward pass alone':22}{one[0]:8.1f}{one[1]:10.1f}")
    print(f"{'index':22}{other[0]:8.1f}{other[1]:10.1f}")
    print(f"{'ratio':22}{other[0] / one[0]:8.2f}{other[1] / one[1]:10.2f}", flush=True)


def _clocks() -> np.ndarray:
    """Seconds by the wall and of the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def command(drawing: Path, times: int = 3) -> None:
    """Print how long `sbirctl search` takes from nothing."""
    words = [sys.executable, "-m", "sbirctl", "-q", "search", str(drawing), "-k", "20"]
    taken = []
    for _ in range(times):
        clock = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - clock)
    print(f"sbirctl search {min(taken):.2f} s from the command line", flush=True)


def answers(searcher: Searcher, drawings: list[bytes]) -> None:
    """Print the parts of a warm answer over the drawings."""
    rows = []
    large = Exact("exact", searcher.info.dim)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((100_000, searcher.info.dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    large.add(np.array([f"{n:08x}" * 8 for n in range(100_000)], dtype=ID), vectors)
    for data in [*drawings[:10], *drawings]:  # the first ten warm up
        clock = [_clocks()]
        image = read_drawing(data, placement=searcher.placement)
        clock.append(_clocks())
        vector = searcher.embed(image, "sketch")
        clock.append(_clocks())
        searcher.search(vector, 50)
        clock.append(_clocks())
        large.search(vector[None], 50)
        clock.append(_clocks())
        rows.append(1000 * np.diff(clock, axis=0))
    read, forward, own, many = np.array(rows[10:]).transpose(1, 0, 2)
    print(f"ms over {len(drawings)} drawings{'median':>20}{'95th':>8}   of the processor")
    for name, values in (
        (f"warm answer, {searcher.info.photos:,} photos", read + forward + own),
        ("of that the model", forward),
        ("beyond the model", read + own),
        ("beyond it with 100,000 vectors", read + many),
    ):
        (median, spent), (high, most) = np.percentile(values, [50, 95], axis=0)
        print(f"{name:34}{median:8.1f}{high:8.1f}{spent:10.1f}{most:8.1f}")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="baseline")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--drawings", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if options.model == "baseline":
        choice = ModelChoice("baseline", "none", SMALL)
    else:
        choice = ModelChoice(str(Path(options.model).absolute()))
    with tempfile.TemporaryDirectory() as name:
        os.environ["SBIRCTL_HOME"] = name
        photos, drawings = options.photos, options.drawings
        if photos is None or drawings is None:
            photos, drawings = draw(Path(name) / "drawn")
        index_command([photos], name="bench", model=choice)
        searcher = Searcher.open("bench")
        indexing(searcher.embedder, photos, options.rounds)
        files = sorted(path for path in drawings.rglob("*") if path.suffix in (".png", ".jpg"))
        chosen = [files[i] for i in np.linspace(0, len(files) - 1, 200).astype(int)]
        command(chosen[0])
        answers(searcher, [path.read_bytes() for path in chosen])


if __name__ == "__main__":
    main()
