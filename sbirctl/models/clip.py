"""CLIP as it comes: image and text embeddings of any open_clip architecture, without training.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor

from sbirctl.core.config import Layer
from sbirctl.core.errors import UsageError
from sbirctl.models import MODELS, Model, Stage, WeightsRecord
from sbirctl.models.layers.clip_towers import (
    SMALL_CLIP,
    ClipSettings,
    build_clip,
    check_size,
    encode_texts,
    load_clip_weights,
    normalisation,
)
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.store.manifest import Modality


@MODELS.register
class Clip(Model):
    """CLIP's two encoders, frozen."""

    name = "clip"
    check_settings: ClassVar[Layer] = {"backbone": SMALL_CLIP, "size": 32}
    Settings = ClipSettings
    trainable = False

    def __init__(self, settings: ClipSettings, classes: tuple[str, ...] | None = None) -> None:
        super().__init__(settings, classes)
        self.clip: Any = build_clip(settings.backbone)
        check_size(self.clip, settings)
        side = settings.size
        with torch.no_grad():
            self.dim = int(self.clip.encode_image(torch.zeros(1, 3, side, side)).shape[1])

    def load_weights(self, weights: str) -> WeightsRecord:
        """See `Model.load_weights`; a file holds both towers, in open_clip's or OpenAI's names."""
        return load_clip_weights(self.clip, self.settings.backbone, weights)

    def expected_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """See `Model.expected_normalisation`."""
        return normalisation(self.settings.backbone)

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim), not yet normalised."""
        return self.clip.encode_image(images)

    @property
    def text_tower(self) -> Any:
        """open_clip's model whose `encode_text` embeds texts."""
        return self.clip

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Texts to (n, dim) L2-normalised float32 embeddings, comparable with the images'.

        Raises:
            MissingError: the architecture's tokenizer has to be downloaded and cannot be.
        """
        with self.autocast():
            return encode_texts(self.clip, self.settings.backbone, texts, self._mean.device)

    def encode(self, batch: Batch) -> Encoded:
        """Embeddings of the batch, without gradient."""
        photo = None if batch.photo is None else self.embed(batch.photo, "photo")
        sketch = None if batch.sketch is None else self.embed(batch.sketch, "sketch")
        return Encoded(photo=photo, sketch=sketch)

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> NoReturn:
        """There is nothing to train."""
        raise UsageError("clip is not trained.", "Type `sbirctl embed clip`.")

    def recipe(self) -> Sequence[Stage]:
        """No stages."""
        return ()
