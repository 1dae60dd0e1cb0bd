"""How alike the classes' sketches and photos are in the embedding space, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import MismatchError, UsageError, nearest
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.neighbours import nearest as nearest_photos
from sbirctl.retrieval.normalisation import normalise_rows

MOST_CLASSES = 400
"""Classes of a matrix; more would need a picture of gigabytes."""


@dataclass(frozen=True)
class Correlation:
    """Class means of sketches against those of photos (Dr. CLIP, Figure 8).

    Attributes:
        classes: in the order of the matrix.
        matrix: (C, C) float64, cosine of the mean sketch of the row's class and the mean photo of
            the column's.
    """

    classes: tuple[str, ...]
    matrix: np.ndarray


@dataclass(frozen=True)
class Confusion:
    """Sketches of one class and photos of another.

    Attributes:
        sketch, photo: the classes.
        cosine: of their means. own: of the mean sketch and the mean photo of the sketches' class.
        margin: own - cosine; negative where the other class's photos are nearer.
        share: how many of the first `k` photos of its sketches are of that class, 0 to 1.
    """

    sketch: str
    photo: str
    cosine: float
    own: float
    margin: float
    share: float


def correlation(
    e: Embeddings, classes: Sequence[str] = (), order: Sequence[str] = ()
) -> Correlation:
    """The matrix over the classes that have sketches and photos, ordered by similarity.

    Embeddings are L2-normalised before they are averaged. The order comes from average linkage
    on the cosine of the classes' centres (half sketches, half photos), its leaves turned so that
    neighbours are alike (Bar-Joseph et al., 2001).

    Args:
        classes: only these; empty for all.
        order: of another run's matrix, to be kept, so that the panels can be compared; classes it
            does not have come last.

    Raises:
        UsageError: an unknown class, or more than `MOST_CLASSES`.
        MismatchError: fewer than two classes have both.
    """
    for name in classes:
        if name not in e.classes:
            raise UsageError(f"There is no class {name!r}.", nearest(name, e.classes))
    sketch, drawn = _means(e.query, e.query_label, len(e.classes))
    photo, taken = _means(e.gallery, e.gallery_label, len(e.classes))
    codes = np.flatnonzero((drawn > 0) & (taken > 0))
    if classes:
        codes = codes[np.isin(np.array(e.classes)[codes], classes)]
    if len(codes) < 2:
        raise MismatchError(
            f"A matrix needs two classes with sketches and photos; found: {len(codes)}.",
            "Choose other classes.",
        )
    if len(codes) > MOST_CLASSES:
        raise UsageError(
            f"The matrix of {len(codes):,} classes would be too large to draw.",
            f"Choose at most {MOST_CLASSES} with --classes.",
        )
    codes = codes[_order(normalise_rows(sketch[codes] + photo[codes], np.float64))]
    places = {name: place for place, name in enumerate(order)}
    after = [places.get(e.classes[code], len(places)) for code in codes]
    codes = codes[np.argsort(after, kind="stable")]
    return Correlation(tuple(e.classes[c] for c in codes), sketch[codes] @ photo[codes].T)


def confusions(
    e: Embeddings, found: Correlation, *, k: int = 10, report: Reporter = SILENT
) -> list[Confusion]:
    """All pairs of different classes, the most confused first: by margin, the smallest first.

    Args:
        k: length of the lists that `share` counts in.
    """
    codes = np.array([e.classes.index(name) for name in found.classes])
    rows = np.flatnonzero(np.isin(e.query_label, codes))
    share = _shares(e, rows, nearest_photos(e, rows, k, report).row)[np.ix_(codes, codes)]
    own = np.diag(found.matrix)
    made = [
        Confusion(
            found.classes[i],
            found.classes[j],
            float(found.matrix[i, j]),
            float(own[i]),
            float(own[i] - found.matrix[i, j]),
            float(share[i, j]),
        )
        for i in range(len(codes))
        for j in range(len(codes))
        if i != j
    ]
    return sorted(made, key=lambda pair: (pair.margin, pair.sketch, pair.photo))


def _shares(e: Embeddings, rows: np.ndarray, photos: np.ndarray) -> np.ndarray:
    """(classes, classes): share of each class among the photos listed for each class's sketches."""
    size = len(e.classes)
    there = photos >= 0
    asked = np.repeat(e.query_label[rows], there.sum(axis=1))
    cells = asked * size + e.gallery_label[photos[there]]
    counts = np.bincount(cells, minlength=size * size).reshape(size, size)
    shares: np.ndarray = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


def _means(vectors: np.ndarray, label: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(classes, D) normalised means of the normalised vectors, and (classes,) their numbers."""
    total = np.zeros((classes, vectors.shape[1]))
    for start in range(0, len(vectors), 8192):  # float64 copies of all of them might not fit
        block = normalise_rows(vectors[start : start + 8192], np.float64)
        np.add.at(total, label[start : start + 8192], block)
    return normalise_rows(total, np.float64), np.bincount(label, minlength=classes)


def _order(centres: np.ndarray) -> np.ndarray:
    from scipy.cluster.hierarchy import leaves_list, linkage  # type: ignore[import-untyped]
    from scipy.spatial.distance import squareform  # type: ignore[import-untyped]

    distance = 1 - np.clip(centres @ centres.T, -1, 1)
    np.fill_diagonal(distance, 0)
    condensed = squareform((distance + distance.T) / 2, checks=False)
    order: np.ndarray = leaves_list(linkage(condensed, method="average", optimal_ordering=True))
    return order
