"""Query and database expansion: a vector becomes the mean of itself and its nearest photos.

Query expansion: Chum, Philbin, Sivic, Isard and Zisserman, ICCV 2007; weights s^alpha (alpha-QE):
Radenović, Tolias and Chum, TPAMI 2019 (arXiv 1711.02512, section 5.1). Database side: Arandjelović
and Zisserman, CVPR 2012, section 3 (equal weights: alpha=0).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.errors import UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.normalisation import normalise_rows
from sbirctl.retrieval.rerank.blocks import nearest_rows, unlabelled

_ROWS = 64


@dataclass(frozen=True)
class AlphaQE:
    """Settings of query expansion."""

    k: int = setting(10, help="photos that are added")
    alpha: float = setting(3.0, help="a photo weighs its cosine to this power; 0: all the same")

    def __post_init__(self) -> None:
        if self.k < 0 or not 0 <= self.alpha < np.inf:
            raise UsageError(f"k={self.k}, alpha={self.alpha} cannot be.", "Neither is below 0.")


@dataclass(frozen=True)
class DBA(AlphaQE):
    """Settings of database expansion."""

    alpha: float = setting(0.0, help="a photo weighs its cosine to this power; 0: all the same")


def expand_queries(e: Embeddings, settings: AlphaQE, report: Reporter = SILENT) -> Embeddings:
    """Every query with its k nearest photos added; queries see no other queries.

    q' ∝ q + Σ_i max(s_i, 0)^alpha g_i over unit vectors, s_i the cosine; photos with a cosine of 0
    or less weigh nothing. The new vector has the length of the old one.
    """
    near = nearest_rows(unlabelled(e.query, e.gallery), settings.k, report)
    made = _expanded(e.query, e.gallery, near.row, near.score, settings.alpha)
    return replace(e, query=made)


def expand_gallery(e: Embeddings, settings: AlphaQE, report: Reporter = SILENT) -> Embeddings:
    """Every photo with its k nearest other photos added; queries are not looked at."""
    near = nearest_rows(unlabelled(e.gallery, e.gallery), settings.k + 1, report, itself=True)
    made = _expanded(e.gallery, e.gallery, near.row[:, 1:], near.score[:, 1:], settings.alpha)
    return replace(e, gallery=made)


def _expanded(
    vectors: np.ndarray, gallery: np.ndarray, row: np.ndarray, score: np.ndarray, alpha: float
) -> np.ndarray:
    """Vectors of the same type; those to which nothing is added stay as they are, to the bit.

    Args:
        row, score: (n, k), of the gallery's vectors that are added.
    """
    made = vectors.copy()
    positive = score > 0
    weight = np.where(positive, score, 1.0) ** alpha * positive
    moved = np.flatnonzero(positive.any(axis=1))
    for start in range(0, len(moved), _ROWS):
        rows = moved[start : start + _ROWS]
        own = vectors[rows].astype(np.float64)
        photos = gallery[row[rows].ravel()]
        unit = normalise_rows(photos, np.float64).reshape(*row[rows].shape, -1)
        total = normalise_rows(own, np.float64) + np.einsum("nk,nkd->nd", weight[rows], unit)
        made[rows] = normalise_rows(total, np.float64) * _lengths(own)[:, None]
    return made


def _lengths(rows: np.ndarray) -> np.ndarray:
    """(n,): scaled first, so that the squares of large values are finite."""
    largest = np.abs(rows).max(axis=1)
    lengths: np.ndarray = largest * np.linalg.norm(rows / largest[:, None], axis=1)
    return lengths
