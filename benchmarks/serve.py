"""The answer of a running server, beside the model's own forward pass on the same drawings.

    python benchmarks/serve.py [--model MODEL] [--drawings FOLDER] [--vectors 100000] [--count 200]

The baseline embeds a drawing whose pixels lie ready. The server is asked over HTTP on loopback,
with the drawing as PNG: it decodes, cleans and frames it, embeds it, ranks `--vectors` random
vectors and names the first 48. What it takes beyond the baseline is to stay under 100 ms. Bare pass
and answer alternate drawing by drawing, so a busy machine slows both; the processors' time (of
server and client together) is disturbed less than the clock.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from _data import SMALL_BACKBONE, data
from PIL import Image

from sbirctl.datasets.readers.tree import File
from sbirctl.drawings.reading import read_drawing
from sbirctl.galleries.embedder import Embedder
from sbirctl.galleries.engines import ID
from sbirctl.galleries.engines.exact import Exact
from sbirctl.galleries.gallery import GalleryInfo
from sbirctl.galleries.searcher import Searcher
from sbirctl.galleries.server import sockets
from sbirctl.galleries.server.app import application
from sbirctl.galleries.server.auth import access_control_for
from sbirctl.galleries.server.galleries import Galleries
from sbirctl.galleries.server.limits import Limits
from sbirctl.pipeline.gallery_model import ModelChoice, choose

T = TypeVar("T")
K = 48  # what the page asks for


def searcher_of(embedder: Embedder, vectors: int) -> Searcher:
    """A gallery of random unit vectors; its photos exist only by name."""
    rng = np.random.default_rng(0)
    made = rng.standard_normal((vectors, embedder.dim), dtype=np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    names = [f"{i:064x}" for i in range(vectors)]
    engine = Exact("exact", embedder.dim)
    engine.add(np.array(names, dtype=ID), made)
    files = {n: (File(f"/photos/{i}.jpg".encode(), 1, 1),) for i, n in enumerate(names)}
    info = GalleryInfo("random", vectors, embedder.record.label, embedder.dim, "exact")

    def files_of(ids: Sequence[str]) -> dict[str, tuple[File, ...]]:
        return {name: files[name] for name in ids if name in files}

    return Searcher(info, embedder, engine, files_of, lambda: False)


@contextmanager
def serving(searcher: Searcher) -> Iterator[int]:
    """The port of a running server."""
    limits = Limits(rate=1e6, burst=10**6)
    galleries = Galleries(opener=lambda _: searcher, lister=lambda: [searcher.info])
    with sockets.listen("127.0.0.1", 0) as taken:
        access = access_control_for("127.0.0.1", "127.0.0.1", None)
        server = sockets.server(application(galleries, access, limits), limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            yield taken.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def drawings_of(folder: str, count: int) -> list[bytes]:
    """PNG bytes of drawings, from a folder at any depth, else the program's own."""
    if folder:
        paths = sorted(Path(folder).rglob("*.png"))
        return [path.read_bytes() for path in paths[:: max(1, len(paths) // count)][:count]]
    made = []
    with data("", 256) as opened:
        side = opened.partition.test.sketch
        for pixels in side.store.read("sketch", np.unique(side.row)[:count]):
            stream = io.BytesIO()
            Image.fromarray(pixels[..., 0]).save(stream, "PNG")
            made.append(stream.getvalue())
    return made


def measure(
    searcher: Searcher, embedder: Embedder, drawings: list[bytes]
) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each part by the clock and of the processors, a drawing an entry."""
    found: dict[str, list[tuple[float, float]]] = {
        name: [] for name in ("bare forward pass", "answer", "embed in it", "search in it")
    }
    with serving(searcher) as port:
        line = http.client.HTTPConnection("127.0.0.1", port)

        def ask(drawing: bytes) -> dict[str, float]:
            line.request("POST", f"/api/search?k={K}", drawing)
            told = json.loads(line.getresponse().read())
            assert len(told["photos"]) == K, told
            return told

        for turn, drawing in enumerate([*drawings[:5], *drawings]):  # the first only warm up
            pixels = embedder.pixels(read_drawing(drawing, placement=searcher.placement), "sketch")[
                None
            ]
            bare, _ = timed(lambda pixels=pixels: embedder.embed(pixels, "sketch"))
            answer, told = timed(lambda drawing=drawing: ask(drawing))
            if turn >= 5:
                found["bare forward pass"].append(bare)
                found["answer"].append(answer)
                found["embed in it"].append((told["embed_ms"], np.nan))
                found["search in it"].append((told["search_ms"], np.nan))
        line.close()
    return found


def timed(work: Callable[[], T]) -> tuple[tuple[float, float], T]:
    """((milliseconds by the clock, of the processors), result)."""
    clock, processors = time.perf_counter(), time.process_time()
    result = work()
    spent = time.perf_counter() - clock, time.process_time() - processors
    return (1000 * spent[0], 1000 * spent[1]), result


def main() -> None:
    """Print median and 95th percentile of each part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="", help="as for index, else an untrained baseline")
    parser.add_argument("--drawings", default="", help="a folder of PNG files, else drawn ones")
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    choice = ModelChoice(options.model)
    if not options.model:
        choice = ModelChoice("baseline", "none", ("size=128", *SMALL_BACKBONE))
    drawings = drawings_of(options.drawings, options.count)
    embedder = choose(choice, None, options.device)
    searcher = searcher_of(embedder, options.vectors)
    found = measure(searcher, embedder, drawings)
    print(f"{len(drawings)} drawings, {options.vectors:,} vectors of {embedder.dim}, {K} answers")
    values = {name: np.array(parts) for name, parts in found.items()}
    values["answer − bare"] = values["answer"] - values["bare forward pass"]
    print(f"{'':20}{'median ms':>12}{'95 % ms':>12}{'processor ms':>16}")
    for name, parts in values.items():
        median, high = np.percentile(parts[:, 0], [50, 95])
        processors = np.median(parts[:, 1])
        shown = "" if np.isnan(processors) else f"{processors:16.1f}"
        print(f"{name:20}{median:12.1f}{high:12.1f}{shown}")


if __name__ == "__main__":
    main()
