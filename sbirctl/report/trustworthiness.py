"""How far a picture of points can be trusted: do neighbours in it neighbour in the space, too?"""

from __future__ import annotations

import numpy as np

_CELLS = 8_000_000  # distances held at once


def trustworthiness(vectors: np.ndarray, xy: np.ndarray, neighbours: int = 10) -> float:
    """1 where the nearest points in the plane are the nearest in the space.

    T(k) = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_j max(0, r(i, j) - k) over the k nearest j of i in
    the plane, where r(i, j) is the rank of j among the neighbours of i by cosine in the space
    (Venna & Kaski, "Neighborhood preservation in nonlinear projection methods", ICANN 2001,
    Eq. 1). Exact, in blocks of rows: never the whole (n, n) matrix.

    Args:
        vectors: (n, D) L2-normalised rows.
        xy: (n, 2) the same points in the plane.
        neighbours: k, at most (n - 1) / 2.
    """
    from sklearn.neighbors import NearestNeighbors

    count = len(xy)
    near = NearestNeighbors(n_neighbors=neighbours).fit(xy).kneighbors(return_distance=False)
    excess = 0
    block = max(_CELLS // count, 1)
    for start in range(0, count, block):
        rows = np.arange(start, min(start + block, count))
        cosine = vectors[rows] @ vectors.T
        own = np.take_along_axis(cosine, near[rows], axis=1)
        cosine[np.arange(len(rows)), rows] = -np.inf  # no point is its own neighbour
        for j in range(neighbours):
            rank = 1 + (cosine > own[:, j : j + 1]).sum(axis=1)
            excess += int(np.maximum(rank - neighbours, 0).sum())
    scale = count * neighbours * (2 * count - 3 * neighbours - 1)
    return 1 - 2 * excess / scale
