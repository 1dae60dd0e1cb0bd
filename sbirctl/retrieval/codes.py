"""Binary codes of embeddings: signs, or ITQ fitted on the training side only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.retrieval.embeddings import Embeddings

BINARY = ("sign", "itq")
ITERATIONS = 50


@dataclass(frozen=True)
class Binariser:
    """Turns embeddings into codes of +1 and -1.

    Attributes:
        name: "sign" or "itq".
        bits: length of a code.
        encode: (n, D) float to (n, bits) float32 of +1 and -1; 0 becomes +1.
    """

    name: str
    bits: int
    encode: Callable[[np.ndarray], np.ndarray]


def encoder(embeddings: Embeddings, name: str, bits: int = 64) -> Binariser:
    """The encoder for these embeddings.

    Args:
        name: one of `BINARY`: "sign" takes the sign of each dimension; "itq" rotates the `bits`
            first principal components of the training side (Gong and Lazebnik, CVPR 2011,
            Eqs. 2-4).
        bits: code length of ITQ.

    Raises:
        UsageError: more bits than dimensions.
        MissingError: ITQ without training embeddings in the file.
    """
    if name == "sign":
        return Binariser("sign", embeddings.query.shape[1], lambda x: _signs(x.astype(np.float32)))
    train = embeddings.train
    if train is None:
        raise MissingError(
            "ITQ is fitted on the training side, and the file has no `train` embeddings.",
            "Type `sbirctl embed --with-train`, or use --binary sign.",
        )
    if not 1 <= bits <= min(train.shape):
        raise UsageError(
            f"ITQ cannot make {bits} bits of {len(train)} training vectors with "
            f"{train.shape[1]} dimensions.",
            "Choose fewer with --bits.",
        )
    mean, projection = fit_itq(train, bits)
    return Binariser("itq", bits, lambda x: _signs((x.astype(np.float64) - mean) @ projection))


def fit_itq(train: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and projection (D, bits) float64 of iterative quantisation.

    Alternates codes B = sign(V R) (Eq. 2) and the rotation R that solves the orthogonal Procrustes
    problem between B and V (Eq. 3), from a fixed random rotation.
    """
    values = train.astype(np.float64)
    mean = values.mean(axis=0)
    values -= mean
    _, vectors = np.linalg.eigh(values.T @ values)
    components = vectors[:, ::-1][:, :bits]
    projected = values @ components
    rotation = np.linalg.qr(rng_for("itq", bits).standard_normal((bits, bits)))[0]
    for _ in range(ITERATIONS):
        target = _signs(projected @ rotation)
        left, _, right = np.linalg.svd(projected.T @ target)
        rotation = left @ right
    return mean, components @ rotation


def _signs(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, np.float32(1), np.float32(-1))
