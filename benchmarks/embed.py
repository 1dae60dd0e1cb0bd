"""Images a second of `embed`, beside the bare forward pass of the same model on the same batches.

    python benchmarks/embed.py [--dataset NAME] [--model baseline] [--device cpu] [--set KEY=VALUE]

The baseline's batches lie on the device before the clock starts; `embed` reads them from the store,
embeds them, writes pieces and assembles the embeddings file. The ratio is to be at least 0.95.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from _data import SMALL_BACKBONE, compare, data

from sbirctl.core.config import parse_assignments
from sbirctl.models import Model, create
from sbirctl.retrieval.embeddings import write
from sbirctl.training.embedding import BATCH, device_of, to_embeddings
from sbirctl.training.inputs import Data
from sbirctl.training.loader import to_tensor
from sbirctl.training.resumable_embedding import ResumableEmbedder


def bare(model: Model, opened: Data) -> Callable[[], int]:
    """The baseline."""
    test = opened.partition.test
    batches = []
    for side in (test.sketch, test.photo):
        rows = np.unique(side.row)
        for start in range(0, len(rows), BATCH):
            images = to_tensor(side.store.read(side.modality, rows[start : start + BATCH]))
            batches.append((images.to(device_of(model)), side.modality))

    def work() -> int:
        with torch.inference_mode():
            found = [model.embed(images, modality) for images, modality in batches]
            torch.cat(found).cpu()
        return sum(len(images) for images, _ in batches)

    return work


def embedded(model: Model, opened: Data, folder: Path) -> Callable[[], int]:
    """What `embed` does between its reading of the checkpoint and its end."""
    test = opened.partition.test

    def work() -> int:
        gatherer = ResumableEmbedder(model, folder / "parts", {"checkpoint": ""})
        query, gallery = gatherer.gather([test.sketch, test.photo])
        write(
            to_embeddings(test, query, gallery, opened.partition.provenance),
            folder / "embeddings.h5",
        )
        gatherer.clear()
        return len(np.unique(test.sketch.row)) + len(np.unique(test.photo.row))

    return work


def shortened(opened: Data, images: int) -> Data:
    """The same with so many test sketches and photos."""
    test = opened.partition.test
    first = np.arange(images)
    test = replace(test, sketch=test.sketch.take(first), photo=test.photo.take(first))
    return replace(opened, partition=replace(opened.partition, test=test))


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="", help="a prepared data set, else drawn images")
    parser.add_argument("--model", default="baseline")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=0, help="of each side, 0 for all")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    options = parser.parse_args()
    own = [{"size": options.size}, parse_assignments(SMALL_BACKBONE)]
    layers = [*(own if options.model == "baseline" else []), parse_assignments(options.assignments)]
    with data(options.dataset, options.size) as opened, tempfile.TemporaryDirectory() as folder:
        if options.images:
            opened = shortened(opened, options.images)
        model = create(options.model, device=options.device, weights="none", layers=layers)
        ways = {
            "bare forward pass": bare(model, opened),
            "embed": embedded(model, opened, Path(folder)),
        }
        compare("bare forward pass", ways, options.rounds, device=options.device)


if __name__ == "__main__":
    main()
