"""How fast `prepare` is against bare decoding and resizing with the same library.

Both read the same files with as many processes, started in the same way: the baseline opens, loads
and resizes every image with Pillow and throws it away; `prepare` also walks the folder, computes
digests and checksums, writes and syncs the pixels and makes the manifest. The ratio of the rates is
to be at least 0.9. Without --from it draws 256 × 256 pictures of its own.

    python benchmarks/prepare.py [--from FOLDER [--dataset sketchy]] [--images 4000] [--workers N]
        [--repeat 3]

FOLDER has sub-folders photo/ and sketch/ with a folder a class below, or is in a layout of the data
set named.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from sbirctl.pipeline.prepare import prepare

SIZE = 224
CHUNK = 128


def main() -> None:
    """Measure in turns, print medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, help="folder with photo/ and sketch/")
    parser.add_argument("--dataset", default="folder", help="reader of --from")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of both")
    parser.add_argument("--images", type=int, default=4000, help="pictures to draw")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SBIRCTL_HOME"] = f"{scratch}/home"
        source = arguments.source or drawn(Path(scratch) / "raw", arguments.images)
        walked = os.walk(source, followlinks=True)  # photo/ and sketch/ may be links
        paths = sorted(os.path.join(folder, name) for folder, _, names in walked for name in names)
        if not paths:
            parser.error(f"there are no images in {source}")
        inputs = {"photos": [source / "photo"], "sketches": [source / "sketch"]}
        if arguments.dataset != "folder":
            inputs = {"from": [source]}
        more = {"name": "bench", "fresh": True, "workers": arguments.workers}
        runs = {
            "bare": lambda: bare(paths, arguments.workers),
            "prepare": lambda: prepare(arguments.dataset, inputs, **more),
        }
        for path in paths:  # both find the files in the system's cache
            Path(path).read_bytes()
        print(f"{len(paths)} images, {arguments.workers} processes, {SIZE} px")
        report(runs, len(paths), arguments.repeat)


def report(runs: dict[str, Callable], images: int, repeat: int) -> None:
    """Images a second by the clock, and by processor time, which other work disturbs less."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            # Removing an earlier store is no part of preparing one.
            shutil.rmtree(os.environ["SBIRCTL_HOME"], ignore_errors=True)
            wall, cpu = time.perf_counter(), processor_seconds()
            run()
            taken[name].append((time.perf_counter() - wall, processor_seconds() - cpu))
    rates = {
        name: [images / statistics.median(t[i] for t in times) for i in (0, 1)]
        for name, times in taken.items()
    }
    for name, (wall, cpu) in rates.items():
        print(f"{name:8} {wall:8.0f} images/s   {cpu:8.0f} images per processor second")
    clock, processor = (rates["prepare"][i] / rates["bare"][i] for i in (0, 1))
    print(f"ratio    {clock:8.2f}            {processor:8.2f}   (goal: at least 0.90)")


def processor_seconds() -> float:
    """User and system time of this process and its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def bare(paths: list[str], workers: int) -> None:
    """Decode and resize everything with as many processes as `prepare` starts."""
    chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    if workers == 1:
        assert sum(map(decode, chunks)) == len(paths)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        assert sum(pool.map(decode, chunks)) == len(paths)


def decode(paths: list[str]) -> int:
    """Decode and resize one chunk; gives its length."""
    for path in paths:
        mode = "L" if "/sketch/" in path else "RGB"
        image = Image.open(path).convert(mode)
        np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return len(paths)


def drawn(root: Path, images: int) -> Path:
    """Photo-like JPEGs and sketch-like PNGs of 256 × 256 pixels, half and half."""
    rng = np.random.default_rng(0)
    for number in range(images // 2):
        rough = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
        photo = rough.resize((256, 256), Image.Resampling.BICUBIC)
        paper = np.full((256, 256), 255, dtype=np.uint8)
        steps = np.cumsum(rng.integers(-2, 3, (6000, 2)), axis=0) + 128
        paper[tuple(np.clip(steps, 0, 255).T)] = 0
        for side, image, kind in (("photo", photo, "JPEG"), ("sketch", paper, "PNG")):
            stream = io.BytesIO()
            picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
            picture.convert("RGB").save(stream, kind, quality=88)
            target = root / side / f"c{number % 50}" / f"{number}.{kind.lower()}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(stream.getvalue())
    return root


if __name__ == "__main__":
    main()
