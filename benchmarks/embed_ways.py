"""Embedding in other number formats, compiled, and by ONNX Runtime, beside fp32 as it is.

    python benchmarks/embed_ways.py [--device cpu] [--set backbone=resnet50] [--seconds 8]
    python benchmarks/embed_ways.py --model clip --device cuda --ways fp32 bf16 fp16 compiled

The same random weights and drawn pictures for every way, in batches as `embed` has them, which lie
on the device. What a way needs first (compiling, exporting) is timed apart; from so many images on
it pays. The cosine is that of a picture's vector to the one in fp32, at worst; "same nearest" is
the share of the pictures whose nearest other one stays the same.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _data import data

from sbirctl.core.config import parse_assignments, to_dict
from sbirctl.core.device import keep_freed_memory
from sbirctl.core.errors import SbirctlError
from sbirctl.inference.export import ExportOrigin, export
from sbirctl.inference.onnx import OnnxEncoder
from sbirctl.models import Model, create
from sbirctl.training.compiled import BACKEND
from sbirctl.training.embedding import BATCH
from sbirctl.training.loader import to_tensor

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WAYS = (*PRECISIONS, "compiled", "compiled bf16", "compiled fp16", "onnx")
Work = Callable[[np.ndarray], np.ndarray]


def by_torch(model: Model, precision: str, backend: str = "") -> Work:
    """Embeds pixels (n, size, size, 3) uint8, as `embed` does; `backend` is torch.compile's."""
    model.compute_dtype = PRECISIONS[precision]
    if backend:
        model.features = torch.compile(model.features, backend=backend)  # type: ignore[method-assign]
    device = next(model.buffers()).device

    def work(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found: np.ndarray = model.embed(to_tensor(pixels).to(device), "photo").cpu().numpy()
        return found

    return work


def by_onnx(model: Model, size: int, folder: Path) -> Work:
    """The same by an export, with the threads torch has."""
    origin = ExportOrigin(model.name, "", size, to_dict(model.settings), {})
    export(model.float().eval(), origin, folder)
    encoder = OnnxEncoder(folder, threads=torch.get_num_threads())
    return lambda pixels: encoder.embed(pixels, "photo")


def nearest(vectors: np.ndarray) -> np.ndarray:
    """(n,) the nearest other row of each."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    found: np.ndarray = scores.argmax(axis=1)
    return found


def rate(work: Work, batches: list[np.ndarray], seconds: float) -> float:
    """Images a second, the best of some stretches of time."""
    best = 0.0
    for _ in range(3):
        done, start = 0, time.perf_counter()
        for batch in itertools.cycle(batches):
            work(batch)
            done += len(batch)
            if time.perf_counter() - start > seconds / 3:
                break
        best = max(best, done / (time.perf_counter() - start))
    return best


def main() -> None:
    """Print a table, one way a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="baseline")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["fp32"])
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--images", type=int, default=2 * BATCH)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each way")
    parser.add_argument("--eager", action="store_true", help="compile for show: to try the script")
    options = parser.parse_args()
    backend = "eager" if options.eager else BACKEND
    keep_freed_memory()
    layers = [{"size": options.size, "mirror": False}, parse_assignments(options.assignments)]

    def model() -> Model:
        return create(
            options.model, device=options.device, dtype="fp32", weights="none", layers=layers
        )

    with data("", options.size) as opened, tempfile.TemporaryDirectory() as folder:
        rows = np.unique(opened.partition.train.photo.row)[: options.images]
        pixels = opened.store.read("photo", rows)
        batches = [pixels[i : i + options.batch] for i in range(0, len(pixels), options.batch)]
        whole = by_torch(model(), "fp32")
        true = np.concatenate([whole(batch) for batch in batches])
        base = rate(whole, batches, options.seconds)
        print(
            f"{options.model} {' '.join(options.assignments)}, {len(pixels)} pictures of "
            f"{options.size} px, batch {options.batch}, {options.device}, "
            f"{torch.get_num_threads()} threads, torch {torch.__version__}\n"
        )
        print(
            "| way | ready after s | images/s | times | pays from images | cosine | same nearest |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|")
        for way in options.ways:
            start = time.perf_counter()
            try:
                if way == "onnx":
                    work = by_onnx(model(), options.size, Path(folder) / "onnx")
                else:
                    precision = way.removeprefix("compiled").strip() or "fp32"
                    work = by_torch(model(), precision, backend if "compiled" in way else "")
                found = np.concatenate([work(batch) for batch in batches])
            except (SbirctlError, RuntimeError) as error:
                said = " ".join(str(error).split())[:160]
                print(f"| {way} | failed: {said} | | | | | |", flush=True)
                continue
            ready = time.perf_counter() - start
            speed = rate(work, batches, options.seconds)
            saved = 1 / base - 1 / speed
            pays = f"{(ready / saved):,.0f}" if saved > 0 else "never"
            same = (nearest(true) == nearest(found)).mean()
            cosine = (true * found).sum(axis=1).min()
            print(
                f"| {way} | {ready:.1f} | {speed:,.1f} | {speed / base:.2f} | {pays} | "
                f"{cosine:.5f} | {same:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
