"""Models that also score a sketch and a photo together, not only by their embeddings."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from sbirctl.models._base import Model
from sbirctl.store.manifest import Modality


class PairModel(Model):
    """Base of models that score pairs."""

    @abstractmethod
    def tokens(self, images: Tensor, modality: Modality) -> Tensor:
        """What `pair_scores` takes of images, without gradient.

        Args:
            images: (n, 1 or 3, H, W) uint8.

        Returns:
            (n, ...) float32.
        """

    @abstractmethod
    def pair_scores(self, sketch: Tensor, photo: Tensor) -> Tensor:
        """(n,) float32 scores from 0 to 1 of n pairs, from the `tokens` of their sides."""
