"""A sheet of 50 queries with 20 photos each, made by the command, as PDF, page and picture.

    python benchmarks/sheet.py [--queries 50] [-k 20] [--runs 1]

The data set is drawn (12 classes, 224 px), the vectors are random around a centre a class. The
baseline is what any such file needs: reading its pictures from the store and compressing each once
(sketches deflated, photos as JPEG; all deflated for a PNG). Processor seconds are of a process that
starts, reads and writes; the best of several.
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
from _data import processor_seconds

from sbirctl.pipeline.prepare import prepare
from sbirctl.report.sheet_html import data_uri
from sbirctl.report.sheet_thumbnails import thumbnail
from sbirctl.retrieval.embeddings import Embeddings, write
from sbirctl.store.reader import Store

DIMENSIONS = 64


def main() -> None:
    """Draw, make the sheets and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("-k", type=int, default=20)
    parser.add_argument("--per-class", type=int, default=120, help="photos of each of the classes")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SBIRCTL_HOME"] = folder
        home = Path(folder)
        place = prepare(
            "demo",
            {},
            options={"per_class": given.per_class, "pixels": 224},
            settings={"size": 224},
        )
        file = home / "embeddings.h5"
        write(vectors(Store.open(place)), file)
        print(f"{given.queries} queries x {given.k} photos\n")
        print("| file | processor seconds | seconds | MB | its pictures alone | times |")
        print("|---|---:|---:|---:|---:|---:|")
        for ending in ("pdf", "html", "png"):
            out = home / f"sheet.{ending}"
            words = ["sheet", file, "-n", given.queries, "-k", given.k, "-o", out]
            costs = [cost(words) for _ in range(given.repeats)]
            clock, used = (min(each) for each in zip(*costs, strict=True))
            alone = min(pictures(place, out, ending) for _ in range(given.repeats))
            size = out.stat().st_size / 1e6
            print(
                f"| {ending} | {used:.2f} | {clock:.2f} | {size:.1f} | {alone:.2f} |"
                f" {used / alone:.1f} |"
            )


def vectors(store: Store) -> Embeddings:
    """Random unit vectors around a centre a class, for all pictures of a store."""
    rng = np.random.default_rng(0)
    items = store.items
    centre = rng.standard_normal((len(items.classes), DIMENSIONS), dtype=np.float32)
    sides = {}
    for modality in ("sketch", "photo"):
        rows = items.where(modality)
        label = items.label[rows].astype(np.int64)
        made = centre[label] + 2 * rng.standard_normal((len(rows), DIMENSIONS), dtype=np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        sides[modality] = made, label, np.array([items.path[i] for i in rows])
    (query, ql, qp), (gallery, gl, gp) = sides["sketch"], sides["photo"]
    return Embeddings(
        query, gallery, ql, gl, items.classes, query_path=qp, gallery_path=gp, store=store.digest
    )


def cost(words: list[object]) -> tuple[float, float]:
    """Seconds by the clock and of the processors that a command takes."""
    clock, used = time.perf_counter(), processor_seconds()
    subprocess.run(
        [sys.executable, "-m", "sbirctl", *map(str, words)], check=True, capture_output=True
    )
    return time.perf_counter() - clock, processor_seconds() - used


def pictures(place: Path, sheet: Path, ending: str) -> float:
    """Processor seconds of reading a sheet's pictures and compressing each once."""
    import zlib

    lines = [line.split("\t") for line in sheet.with_suffix(".tsv").read_text().splitlines()]
    names = lines[0]
    found = [dict(zip(names, line, strict=True)) for line in lines[1:]]
    wanted = {
        "sketch": {one["query path"] for one in found},
        "photo": {one["path"] for one in found},
    }
    store = Store.open(place)
    used = time.process_time()
    for modality, paths in wanted.items():
        rows = sorted(
            {
                int(store.items.row[i])
                for i in store.items.where(modality)
                if store.items.path[i].decode() in paths
            }
        )
        for pixels in store.read(modality, np.array(rows)):
            image = thumbnail(pixels, 112 if ending == "png" else 168)
            if ending == "png":
                zlib.compress(image.tobytes(), 1)
            else:
                data_uri(image)
    return time.process_time() - used


if __name__ == "__main__":
    main()
