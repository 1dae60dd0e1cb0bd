"""Finding a sketch's photo by plain matching: an orientation histogram of edge map and sketch.

    python benchmarks/edge_matching.py DATA_SET [--all] [--kinds soft,thin] [--size 256]

Nothing is trained: what a training should be above. A picture is described by the directions of
its gradients: 8 x 8 cells, 8 directions from 0 to 180 degrees, each pixel counted in its cell by
the strength of its gradient, the square root of the shares taken. Similarity is the cosine. The
data set needs pairs; acc@K is that of the task fg over its test instances (--all: all instances,
for a data set that is a test side by itself). Kinds of edge maps: soft, thin, contours, color
(Gb of colour alone), canny, stored (those of the store, such as given ones by --edges-from) and
photo (no edge map; for data sets whose photos are edge maps).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from sbirctl.edges import edge_maps
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.metrics import parse
from sbirctl.retrieval.provenance import Provenance
from sbirctl.retrieval.statistics import class_interval
from sbirctl.sampling.subsets import Subset
from sbirctl.store.reader import Store
from sbirctl.tasks import Holdout
from sbirctl.tasks._instances import Instances, instance_subset
from sbirctl.training.embedding import to_embeddings
from sbirctl.training.inputs import Inputs
from sbirctl.training.loader import to_tensor

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "soft": ("gb", {}),
    "thin": ("gb", {"thin": True}),
    "contours": ("gb", {"contours": True}),
    "color": ("gb-color", {}),
    "canny": ("canny", {}),
}
GIVEN = ("stored", "photo")
CELLS = BINS = 8
METRICS = ("acc@1", "acc@5", "acc@10")


def orientation_histogram(image: np.ndarray, cells: int = CELLS, bins: int = BINS) -> np.ndarray:
    """(cells * cells * bins,) float32 of unit length; zeros for a blank picture.

    Args:
        image: (H, W) uint8, dark on white.
    """
    ink = cv2.GaussianBlur(255.0 - image.astype(np.float32), (0, 0), image.shape[0] / 128)
    across, down = cv2.Sobel(ink, -1, 1, 0), cv2.Sobel(ink, -1, 0, 1)
    strength = np.hypot(across, down)
    turn = np.floor(np.mod(np.arctan2(down, across), np.pi) / np.pi * bins).astype(int) % bins
    rows, columns = (np.arange(n) * cells // n for n in image.shape)
    place = (rows[:, None] * cells + columns) * bins + turn
    counted = np.bincount(place.ravel(), strength.ravel(), cells * cells * bins)
    shares = np.sqrt(counted / max(float(counted.sum()), 1e-12))
    return np.asarray(shares / max(float(np.linalg.norm(shares)), 1e-12), dtype=np.float32)


def described(images: np.ndarray, size: int) -> np.ndarray:
    """(n, 512) histograms of (n, H, W, 1) uint8 pictures, brought to `size` first."""
    made = []
    for image in images[..., 0]:
        if image.shape[0] != size:
            image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        made.append(orientation_histogram(image))
    return np.stack(made)


def photos_as(kind: str, store: Store, rows: np.ndarray) -> np.ndarray:
    """(n, H, W, 1) uint8: the edge maps of a store's photos, or the photos in grey."""
    if kind == "stored":
        return store.read_edges(rows)
    photos = store.read("photo", rows)
    if kind == "photo":
        return np.stack([cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None] for p in photos])
    method, parameters = KINDS[kind]
    made: list[Tensor] = [
        edge_maps(to_tensor(photos[at : at + 16]), method, **parameters)
        for at in range(0, len(photos), 16)
    ]
    return torch.cat(made).permute(0, 2, 3, 1).numpy()


def tested(dataset: str, everything: bool) -> tuple[Subset, Provenance]:
    """The sketches and photos that are ranked."""
    data = Inputs(dataset=dataset, task="fg").open(Holdout(0.0))
    if not everything:
        return data.partition.test, data.partition.provenance
    instances = Instances(data.store)
    subset = instance_subset(data.store, instances, instances.drawn)
    return subset, replace(data.partition.provenance, distractors=0)


def main() -> None:
    """A row of the table for every kind of edge map."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("dataset")
    parser.add_argument("--all", action="store_true", help="all instances, not the test side")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--size", type=int, default=256, help="side at which gradients are taken")
    options = parser.parse_args()
    subset, provenance = tested(options.dataset, options.all)
    store = subset.photo.store
    query = described(store.read("sketch", subset.sketch.row), options.size)
    metrics = [parse(name) for name in METRICS]
    print(f"{len(query)} sketches, {len(subset.photo)} photos, scope: {provenance.scope}")
    print("| edge map | " + " | ".join(METRICS) + " | acc@1, 95 % over instances |")
    print("|---|" + "---:|" * (len(METRICS) + 1))
    for kind in options.kinds.split(","):
        gallery = described(photos_as(kind, store, subset.photo.row), options.size)
        embeddings = to_embeddings(subset, query, gallery, provenance)
        (result,) = evaluate(embeddings, metrics, [Definition()])
        low, high = class_interval(result.values["acc@1"], subset.sketch.label)
        figures = " | ".join(f"{result.mean(name):.3f}" for name in METRICS)
        print(f"| {kind} | {figures} | {low:.3f} to {high:.3f} |", flush=True)


if __name__ == "__main__":
    main()
