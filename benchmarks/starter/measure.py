"""prec@10 and mAP@all of the model file on folders of drawings and photos it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.starter import files
from benchmarks.starter.drawings import SIZE


def figures(similarity: np.ndarray, relevant: np.ndarray) -> tuple[float, float]:
    """prec@10 and mAP@all, means over the queries.

    Args:
        similarity: (n, m).
        relevant: (n, m) bool, some true in every row.
    """
    order = np.argsort(-similarity, axis=1, kind="stable")
    hits = np.take_along_axis(relevant, order, 1)
    precision = np.cumsum(hits, 1) / np.arange(1, hits.shape[1] + 1)
    average = (precision * hits).sum(1) / hits.sum(1)
    return float(hits[:, :10].mean()), float(average.mean())


def by_class(folder: Path) -> list[tuple[Path, str]]:
    """Pictures and their classes: the sub-folders' names."""
    return [(path, path.parent.name) for path in sorted(folder.glob("*/*.*"))]


def embed(model: Path, found: list[tuple[Path, str]], side: str) -> np.ndarray:
    """(n, d) float32 vectors of pictures by a side of the model file."""
    sides, head = files.load(model)
    parts = []
    for start in range(0, len(found), 64):
        paths = [path for path, _ in found[start : start + 64]]
        pictures = files.photos(paths) if side == "photo" else files.drawn(paths, SIZE)
        parts.append(head.vectors(files.class_scores(sides[side], pictures), side).numpy())
    return np.concatenate(parts)
