"""A model in torch as an encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sbirctl.core.errors import UsageError
from sbirctl.store.manifest import MODALITIES, Modality

if TYPE_CHECKING:
    from sbirctl.models import Model


class TorchEncoder:
    """A model in evaluation mode; see `Encoder`.

    Args:
        model: on its device.
        size: side of the pictures it is given, the store's.
    """

    def __init__(self, model: Model, size: int) -> None:
        self.model = model
        self.dim = int(model.dim)
        self.sizes: Mapping[Modality, int] = dict.fromkeys(MODALITIES, size)

    @property
    def has_text(self) -> bool:
        """Whether it reads texts."""
        return callable(getattr(self.model, "embed_text", None))

    @property
    def device(self) -> str:
        """Where it computes: "cpu", "cuda:0", …"""
        return str(next(self.model.buffers()).device)

    def embed(self, pixels: np.ndarray, modality: Modality) -> np.ndarray:
        """See `Encoder.embed`."""
        import torch

        images = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2)
        edges = None
        if self.model.needs_edges and modality == "photo":
            edges = self.model.make_edges(images).to(self.device)
        with torch.inference_mode():
            found = self.model.embed(images.to(self.device), modality, edges)
        return found.float().cpu().numpy()

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """See `Encoder.embed_text`."""
        if not self.has_text:
            raise UsageError(f"{self.model.name} has no text tower.", "Draw it instead.")
        import torch

        model: Any = self.model
        with torch.inference_mode():
            found: np.ndarray = model.embed_text(list(texts)).float().cpu().numpy()
        return found
