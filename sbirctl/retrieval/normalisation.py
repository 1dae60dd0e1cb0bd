"""Unit vectors: what the cosine is taken of, here and wherever else vectors are compared."""

from __future__ import annotations

import numpy as np

_SAFE = (2.0**-100, 2.0**100)
"""Lengths whose squares, and those of their components, neither vanish nor overflow."""


def normalise_rows(vectors: np.ndarray, dtype: np.dtype | type = np.float32) -> np.ndarray:
    """Rows of length 1; a row of zeros stays one, so its cosine with everything is 0.

    Lengths are summed in float64. Very long and very short rows are scaled by a power of two
    first, so vectors of any finite size keep their direction.

    Args:
        vectors: (n, D) of any float type.
        dtype: float32 or float64, of the result.

    Returns:
        (n, D), never `vectors` itself.
    """
    with np.errstate(over="ignore"):
        made = vectors.astype(dtype)
        length = _lengths(made)
    odd = np.flatnonzero((length < _SAFE[0]) | (length > _SAFE[1]))
    if len(odd):
        rows = vectors[odd].astype(np.float64)
        _, exponent = np.frexp(np.abs(rows).max(axis=1, initial=0))
        made[odd] = np.ldexp(rows, -exponent[:, None])
        length[odd] = _lengths(made[odd])
    made /= np.where(length == 0, 1, length).astype(dtype)[:, None]
    return made


def _lengths(rows: np.ndarray) -> np.ndarray:
    """(n,) float64."""
    lengths: np.ndarray = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return lengths
