"""What makes vectors of pictures and texts, whichever runtime computes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from sbirctl.store.manifest import Modality

RUNTIMES = ("onnx", "torch")


class Encoder(Protocol):
    """A model ready to make vectors.

    Attributes:
        dim: length of a vector.
        sizes: side of the square pictures it takes, by modality.
        has_text: whether it reads texts.
        device: where it computes, as torch calls it.
    """

    @property
    def dim(self) -> int: ...

    @property
    def sizes(self) -> Mapping[Modality, int]: ...

    @property
    def has_text(self) -> bool: ...

    @property
    def device(self) -> str: ...

    def embed(self, pixels: np.ndarray, modality: Modality) -> np.ndarray:
        """Pixels as the store keeps them to vectors.

        Args:
            pixels: (n, size, size, C) uint8; C = 3 photos, 1 sketches.

        Returns:
            (n, dim) float32, L2-normalised.
        """
        ...

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32, L2-normalised.

        Raises:
            UsageError: the model reads no texts.
        """
        ...
