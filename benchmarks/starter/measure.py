"""prec@10 and mAP@all of the model file on folders of drawings and photos it never saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sbirctl.drawings.reading import read_drawing
from sbirctl.inference.onnx import OnnxEncoder
from sbirctl.store.images import load_image, to_pixels
from sbirctl.store.manifest import Modality

ByClass = dict[str, tuple[float, float]]


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


def by_class(folder: Path, wanted: set[str] | None = None) -> list[tuple[Path, str]]:
    """Pictures and their classes, the sub-folders' names; only some classes' where named."""
    found = [(path, path.parent.name) for path in sorted(folder.glob("*/*.*"))]
    return [(path, name) for path, name in found if wanted is None or name in wanted]


def first(found: list[tuple[Path, str]], number: int) -> list[tuple[Path, str]]:
    """The first so many of each class, by name."""
    counts: Counter[str] = Counter()
    kept = []
    for path, name in found:
        counts[name] += 1
        if counts[name] <= number:
            kept.append((path, name))
    return kept


def vectors(
    encoder: OnnxEncoder,
    found: list[tuple[Path, str]],
    modality: Modality,
    keep: Path | None = None,
) -> np.ndarray:
    """(n, dim) vectors as `index` and `search` make them, read from a file where they were kept."""
    if keep and keep.exists():
        return np.load(keep)
    parts = []
    for start in range(0, len(found), 64):
        pictures = [_pixels(path, modality, encoder) for path, _ in found[start : start + 64]]
        parts.append(encoder.embed(np.stack(pictures), modality))
    if keep:
        np.save(keep, np.concatenate(parts))
    return np.concatenate(parts)


def _pixels(path: Path, modality: Modality, encoder: OnnxEncoder) -> np.ndarray:
    size = encoder.sizes[modality]
    if modality == "photo":
        return load_image(path.read_bytes(), modality, size)
    return to_pixels(read_drawing(path.read_bytes(), placement=encoder.placement), modality, size)


def report(similarity: np.ndarray, queries: Sequence[str], labels: Sequence[str]) -> ByClass:
    """Print the figures of all drawings; return those of each class."""
    wanted = np.array(queries)
    relevant = wanted[:, None] == np.array(labels)[None]
    precision, average = figures(similarity, relevant)
    print(f"{len(queries)} drawings x {len(labels)} photos, {len(set(labels))} classes")
    print(f"prec@10 {precision:.3f} mAP@all {average:.3f} chance {relevant.mean():.3f}")
    by_name = {name: wanted == name for name in sorted(set(queries))}
    return {name: figures(similarity[rows], relevant[rows]) for name, rows in by_name.items()}
