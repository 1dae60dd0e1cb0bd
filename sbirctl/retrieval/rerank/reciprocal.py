"""k-reciprocal re-ranking (Zhong, Zheng, Cao and Li, CVPR 2017), in bounded memory.

Queries and gallery are nodes alike, in this order. Each node has a sparse vector over the nodes
that are mutual neighbours; the Jaccard distance of two vectors is mixed with the distance that was
there. Where the paper and its code differ, the code's choices hold (squared Euclidean distances of
unit vectors, divided by each row's largest; lists of k + 1 nodes, the node itself among them).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.errors import UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.normalisation import normalise_rows
from sbirctl.retrieval.rerank.blocks import nearest_rows, score_blocks, unlabelled

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

_ROWS = 2048
_PAIRS = 8192


@dataclass(frozen=True)
class KReciprocal:
    """Settings of k-reciprocal re-ranking."""

    k1: int = setting(20, help="neighbours that may be mutual")
    k2: int = setting(6, help="nodes over whose vectors one is averaged; 1: none")
    lambda_: float = setting(0.3, key="lambda", help="share of the original distance")

    def __post_init__(self) -> None:
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.lambda_ <= 1:
            raise UsageError(
                f"k1={self.k1}, k2={self.k2}, lambda={self.lambda_} cannot be.",
                "k1 and k2 are 1 or more, lambda is 0 to 1.",
            )


def k_reciprocal(
    e: Embeddings, settings: KReciprocal, report: Reporter = SILENT
) -> Iterator[np.ndarray]:
    """Scores whose order is that of the mixed distance (Eq. 12), a block of queries at a time.

    d* = (1 - lambda) (1 - J) + lambda d with d = (2 - 2 cos) / m, m the largest 2 - 2 cos of the
    query's row, ranks photos as cos + J (1 - lambda) m / (2 lambda) does. That is what is given
    (J alone for lambda = 0), so that photos without mutual neighbours keep their cosines.

    Gives:
        (at most 512, N) rows in the order of the file, of the vectors' type.
    """
    if settings.lambda_ == 1:
        yield from score_blocks(e, report)
        return
    nodes = np.concatenate([e.query, e.gallery])
    count = max(settings.k1 + 1, settings.k2)
    near = nearest_rows(unlabelled(nodes, nodes), count, report, itself=True)
    farthest = np.maximum(2 - 2 * near.least, 0)
    sets = mutual_sets(near.row[:, : settings.k1 + 1], settings.k1)
    vectors = node_vectors(nodes, sets, farthest)
    del nodes, sets
    if settings.k2 > 1:
        vectors = averaged(vectors, near.row[:, : settings.k2])
    jaccard = Jaccard(vectors, len(e.query))
    factor = 1.0 if not settings.lambda_ else (1 - settings.lambda_) / settings.lambda_ / 2
    start = 0
    for block in score_blocks(e, report):
        for i in range(len(block)):
            found = jaccard.of(start + i) * (factor * farthest[start + i])
            block[i] = block[i] + found if settings.lambda_ else found
        start += len(block)
        yield block


def mutual_sets(row: np.ndarray, k1: int) -> csr_matrix:
    """R* of every node (Eq. 3): its mutual neighbours, and those of them that share most of theirs.

    Args:
        row: (n, k1 + 1) int64, neighbours of each node, itself first.

    Returns:
        (n, n), 1 where the column is in the row's set.
    """
    from scipy.sparse import vstack

    mutual = _mutual(row)
    half = _mutual(row[:, : int(np.around(k1 / 2)) + 1])
    size = np.diff(half.indptr)
    found = []
    for start in range(0, len(row), _ROWS):
        mine = mutual[start : start + _ROWS]
        shared = (mine @ half).multiply(mine).tocsr()  # `half` is symmetric
        shared.data = (3 * shared.data > 2 * size[shared.indices]).astype(np.int32)
        shared.eliminate_zeros()
        found.append(mine + shared @ half)
    made = vstack(found, format="csr")
    made.data[:] = 1
    made.sort_indices()
    return made


def _mutual(row: np.ndarray) -> Any:
    """(n, n) int32, symmetric: 1 where each of two nodes is in the other's list."""
    from scipy.sparse import csr_matrix

    pairs = []
    for start in range(0, len(row), _ROWS):
        mine = row[start : start + _ROWS]
        node = np.arange(start, start + len(mine))
        i, a = np.nonzero((row[mine] == node[:, None, None]).any(axis=2))
        pairs.append((node[i], mine[i, a]))
    rows, columns = (np.concatenate(part) for part in zip(*pairs, strict=True))
    ones = np.ones(len(rows), dtype=np.int32)
    return csr_matrix((ones, (rows, columns)), shape=(len(row), len(row)))


def node_vectors(nodes: np.ndarray, sets: csr_matrix, farthest: np.ndarray) -> csr_matrix:
    """exp(-d) over each node's set (Eq. 7), its sum 1.

    Args:
        nodes: (n, D). sets: (n, n). farthest: (n,), the largest distance of each row.
    """
    from scipy.sparse import csr_matrix

    unit = normalise_rows(nodes, np.float64 if nodes.dtype == np.float64 else np.float32)
    rows = np.repeat(np.arange(len(nodes)), np.diff(sets.indptr))
    columns = sets.indices
    value = np.empty(len(columns))
    for start in range(0, len(columns), _PAIRS):
        pair = slice(start, start + _PAIRS)
        a, b = rows[pair], columns[pair]
        cosine = np.einsum("ij,ij->i", unit[a], unit[b], dtype=np.float64)
        distance = np.where(a == b, 0.0, np.maximum(2 - 2 * cosine, 0))
        value[pair] = np.exp(-distance / np.where(farthest[a] > 0, farthest[a], 1))
    total = np.bincount(rows, value, minlength=len(nodes))
    return csr_matrix((value / total[rows], columns, sets.indptr), shape=sets.shape)


def averaged(vectors: csr_matrix, row: np.ndarray) -> csr_matrix:
    """Each node's vector is the mean of those of its first k2 neighbours (Eq. 11), itself first."""
    from scipy.sparse import csr_matrix

    size, k2 = row.shape
    share = np.full(row.size, 1 / k2)
    mean = csr_matrix((share, row.ravel(), np.arange(0, row.size + 1, k2)), shape=(size, size))
    made = (mean @ vectors).tocsr()
    made.sort_indices()
    return made


class Jaccard:
    """Similarities of nodes' vectors to those of the gallery, through an inverted index (Eq. 10).

    Args:
        vectors: (n, n), each row's sum 1.
        queries: how many nodes are queries; the others are the gallery.
    """

    def __init__(self, vectors: csr_matrix, queries: int) -> None:
        self._vectors = vectors[:queries]
        self._photos = vectors.shape[0] - queries
        index = vectors[queries:].tocsc()
        self._start, self._photo, self._value = index.indptr, index.indices, index.data

    def of(self, query: int) -> np.ndarray:
        """(N,) float64: Σ min(a, b) / Σ max(a, b) of a query with every photo."""
        own = slice(*self._vectors.indptr[query : query + 2])
        columns, value = self._vectors.indices[own], self._vectors.data[own]
        start = self._start[columns]
        count = self._start[columns + 1] - start
        place = np.arange(count.sum()) + np.repeat(start - np.cumsum(count) + count, count)
        smaller = np.minimum(np.repeat(value, count), self._value[place])
        least = np.bincount(self._photo[place], smaller, minlength=self._photos)
        similarity: np.ndarray = least / (2 - least)
        return similarity
