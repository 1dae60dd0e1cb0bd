"""Queries and gallery ready for products: one float type, normalised, photos sorted by label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.retrieval.codes import Binariser
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.normalisation import normalise_rows
from sbirctl.retrieval.ranks import Ranks

TILE = 512
"""Queries of one product. Always this many (the last tile is filled with zeros): float32 products
of other shapes differ in the last bits, so a fixed shape makes results independent of memory and
thread count."""
_BLOCK = 64
"""Photos turned at a time: few enough that both the rows and the columns stay in the cache."""


@dataclass(frozen=True)
class RankingProblem:
    """A ranking problem.

    Attributes:
        source: the embeddings; queries are converted a tile at a time.
        similarity: "cosine", "euclidean", "hamming", or "given": the matrix of the embeddings,
            where they have one.
        encoder: for "hamming".
        query: (q,) int64, queries that are ranked, sorted by label.
        order: (n,) int64, place among the ranked photos of each column: columns are sorted by
            label, within it in gallery order.
        gallery_row: (n,) int64, row of each column in the embeddings.
        gallery: (D, n) float32 (float64 if either side is): a photo a column, in that order.
        half: (n,) half the squared norms for "euclidean": q·g - |g|²/2 falls with the distance.
        start: (classes + 1,) int64: photos of label c are columns start[c]:start[c + 1].
    """

    source: Embeddings
    similarity: str
    encoder: Binariser | None
    query: np.ndarray
    order: np.ndarray
    gallery_row: np.ndarray
    gallery: np.ndarray
    half: np.ndarray | None
    start: np.ndarray

    @classmethod
    def from_embeddings(
        cls,
        embeddings: Embeddings,
        similarity: str,
        encoder: Binariser | None = None,
        query: np.ndarray | None = None,
        gallery: np.ndarray | None = None,
    ) -> RankingProblem:
        """Make queries and gallery ready.

        Args:
            query, gallery: rows that are ranked, in this order; None for all. Gallery rows may
                repeat.

        Raises:
            CorruptError: the vectors are so long that Euclidean scores could be infinite.
        """
        queries = np.arange(len(embeddings.query)) if query is None else query
        photos = np.arange(len(embeddings.gallery)) if gallery is None else gallery
        queries = queries[np.argsort(embeddings.query_label[queries], kind="stable")]
        order = np.argsort(embeddings.gallery_label[photos], kind="stable")
        rows = photos[order]
        if embeddings.matrix is not None:
            return cls._of_matrix(embeddings, embeddings.matrix, queries, order, rows)
        wide = np.float64 in (embeddings.query.dtype, embeddings.gallery.dtype)
        dtype = np.dtype(np.float64 if wide and similarity != "hamming" else np.float32)
        width = encoder.bits if encoder is not None else embeddings.gallery.shape[1]
        made = np.empty((width, len(rows)), dtype=dtype)
        for start in range(0, len(rows), _BLOCK):
            block = embeddings.gallery[rows[start : start + _BLOCK]]
            made[:, start : start + _BLOCK] = _convert(block, similarity, encoder, dtype).T
        half = None
        if similarity == "euclidean":
            _refuse_overflow(embeddings.query, made)
            half = np.einsum("ij,ij->j", made, made, dtype=np.float64).astype(dtype) / 2
        starts = _starts(embeddings, rows)
        return cls(embeddings, similarity, encoder, queries, order, rows, made, half, starts)

    @classmethod
    def _of_matrix(
        cls,
        e: Embeddings,
        matrix: np.ndarray,
        queries: np.ndarray,
        order: np.ndarray,
        rows: np.ndarray,
    ) -> RankingProblem:
        """Nothing to multiply; numbers that float32 would round are compared in float64."""
        narrow = matrix.dtype in (np.float32, np.float16)
        made = np.empty((0, len(rows)), dtype=np.float32 if narrow else np.float64)
        return cls(e, "given", None, queries, order, rows, made, None, _starts(e, rows))

    @property
    def tiles(self) -> int:
        """Number of products."""
        return -(-len(self.query) // TILE)

    def query_tile(self, index: int) -> np.ndarray:
        """(512, D): the queries of one product, zeros after the last."""
        rows = self.query[index * TILE : (index + 1) * TILE]
        tile = np.zeros((TILE, len(self.gallery)), dtype=self.gallery.dtype)
        tile[: len(rows)] = _convert(
            self.source.query[rows], self.similarity, self.encoder, self.gallery.dtype
        )
        return tile

    def scores(self, index: int, out: np.ndarray) -> None:
        """Fill `out` (512, n) with the scores of one tile, the higher the better."""
        if self.similarity == "given":
            matrix = self.source.matrix
            assert matrix is not None
            rows = self.query[index * TILE : (index + 1) * TILE]
            for i, row in enumerate(rows.tolist()):
                out[i] = matrix[row][self.gallery_row]
            if self.source.scores is None:
                np.negative(out[: len(rows)], out=out[: len(rows)])
            out[len(rows) :] = 0
            return
        np.matmul(self.query_tile(index), self.gallery, out=out)
        if self.half is not None:
            out -= self.half


def _starts(e: Embeddings, rows: np.ndarray) -> np.ndarray:
    return np.searchsorted(e.gallery_label[rows], np.arange(len(e.classes) + 1))


def _refuse_overflow(query: np.ndarray, gallery: np.ndarray) -> None:
    if not (query.size and gallery.size):
        return
    q, g = (max(float(side.max()), -float(side.min())) for side in (query, gallery))
    bound = float(np.finfo(gallery.dtype).max) / len(gallery) / 2
    if g > 0 and max(q, g) > bound / g:
        raise CorruptError(
            f"Vectors hold values up to {max(q, g):.3g}: Euclidean scores exceed {gallery.dtype}.",
            "Scale all of them by one factor, which leaves the ranking as it is.",
        )


def _convert(
    block: np.ndarray, similarity: str, encoder: Binariser | None, dtype: np.dtype
) -> np.ndarray:
    """Vectors as the products need them; a zero vector has cosine 0 with everything."""
    if encoder is not None:
        return encoder.encode(block).astype(dtype)
    return normalise_rows(block, dtype) if similarity == "cosine" else block.astype(dtype)


@dataclass(frozen=True)
class Consumer:
    """What is done with ranks; called from several threads, each query once.

    Attributes:
        ranks: takes (n,) positions of queries of one class and their `Ranks`.
        own: takes (n,) positions and (n,) ranks of the photo each sketch was drawn from (0 where
            it is not in the gallery), or None when nobody asks.
    """

    ranks: Callable[[np.ndarray, Ranks], None]
    own: Callable[[np.ndarray, np.ndarray], None] | None = None


class OwnPhotos:
    """Finds the photo each sketch was drawn from; every other photo of equal score is before it."""

    def __init__(self, problem: RankingProblem) -> None:
        e = problem.source
        assert e.query_instance is not None
        assert e.gallery_instance is not None
        self._wanted = e.query_instance
        instance = e.gallery_instance[problem.gallery_row]
        self._columns = np.argsort(instance, kind="stable")
        self._instance = instance[self._columns]

    def rank(self, query: int, row: np.ndarray) -> int:
        """Rank in one row of scores; 0 where the photo is not in the gallery."""
        wanted = self._wanted[query]
        low, high = np.searchsorted(self._instance, [wanted, wanted + 1])
        if wanted < 0 or low == high:
            return 0
        mine = row[self._columns[low:high]]
        best = mine.max()
        return int(np.count_nonzero(row >= best) - np.count_nonzero(mine >= best)) + 1


def segments(problem: RankingProblem, index: int) -> Iterator[tuple[slice, np.ndarray, slice]]:
    """Rows of a tile with one label: (rows, positions of the queries, columns of the photos).

    Queries without a relevant photo are passed over.
    """
    queries = problem.query[index * TILE : (index + 1) * TILE]
    labels = problem.source.query_label[queries]
    cuts = np.flatnonzero(np.diff(labels)) + 1
    for first, last in zip([0, *cuts], [*cuts, len(labels)], strict=True):
        label = labels[first]
        columns = slice(int(problem.start[label]), int(problem.start[label + 1]))
        if columns.stop > columns.start:
            yield slice(int(first), int(last)), queries[first:last], columns


def inverse(order: np.ndarray) -> np.ndarray:
    """(N,) int64: the column of each place in the gallery."""
    columns = np.empty(len(order), dtype=np.intp)
    columns[order] = np.arange(len(order))
    return columns


def in_gallery_order(distance: np.ndarray, inverse: np.ndarray, columns: slice) -> np.ndarray:
    """(R,) int64: ranks of the photos `columns` by a stable sort of a row's (N,) distances."""
    ordered = inverse.take(np.argsort(distance.take(inverse), kind="stable"))
    wanted = (ordered >= columns.start) & (ordered < columns.stop)
    return np.flatnonzero(wanted) + 1
