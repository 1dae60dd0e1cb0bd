"""What every model is: one joint pass, named losses, embeddings, a recipe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sbirctl.core.config import Layer
from sbirctl.models._recipe import ModelSettings, Stage, remarks
from sbirctl.models._weights import WeightsRecord
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.store.manifest import Modality


class Model(nn.Module, ABC):
    """Base of all models. Subclasses live in a file of their name and are registered.

    What a subclass leaves out of the abstract methods is named when one is made (TypeError).
    """

    name: ClassVar[str]
    Settings: ClassVar[type[ModelSettings]] = ModelSettings
    presets: ClassVar[dict[str, Layer]] = {}
    check_settings: ClassVar[Layer] = {}  # that make it small and quick to check
    trainable: ClassVar[bool] = True
    settings_version: ClassVar[int] = 1  # raised when `upgrade` has something to do
    edges_setting: ClassVar[str] = ""  # whose true says that photos' edge maps are read
    # What `embed --set` may change of a trained model, beside `precision`: no step reads them.
    embedding_settings: ClassVar[tuple[str, ...]] = ("mirror",)

    settings: Any
    dim: int
    _mean: Tensor
    _std: Tensor
    weights: WeightsRecord  # what it started from, for results
    compute_dtype: torch.dtype  # what `embed` computes in; weights and embeddings are float32
    edge_source: tuple[str, Mapping[str, Any]]  # method and parameters of the edge maps it knows
    stage_done: float  # share of the stage's steps that are done; training sets it before each
    batch_seed: int  # what is drawn for a whole batch comes from it; training sets it before a step

    def __init__(self, settings: ModelSettings, classes: tuple[str, ...] | None = None) -> None:
        """Build the network with random values; `weights.py` fills in pretrained ones.

        Args:
            settings: an instance of this class's `Settings`.
            classes: names of the training classes; None when only embedding is wanted.
        """
        super().__init__()
        self.settings = settings
        self.classes = classes
        self.weights = WeightsRecord()
        self.compute_dtype = torch.float32
        self.edge_source = ("gb", {})
        self.stage_done = 0.0
        self.batch_seed = 0
        self.register_buffer("_mean", torch.tensor(settings.mean).view(1, -1, 1, 1), False)
        self.register_buffer("_std", torch.tensor(settings.std).view(1, -1, 1, 1), False)

    @classmethod
    def edges_for(cls, settings: ModelSettings) -> bool:
        """Whether a model of these settings reads the photos' edge maps."""
        return bool(cls.edges_setting and getattr(settings, cls.edges_setting))

    @classmethod
    def upgrade(cls, settings: Layer, version: int) -> Layer:  # noqa: ARG003
        """Settings of an older checkpoint as today's model has them.

        A renamed setting needs nothing here: its old name is among the `aliases` of `setting`.
        This is for values that mean something else now, or settings that became several.

        Args:
            settings: nested plain values, as `core.config.to_dict` gave them.
            version: `settings_version` of the model that wrote them.
        """
        return settings

    @property
    def needs_edges(self) -> bool:
        """Whether batches and `embed` bring the photos' edge maps."""
        return self.edges_for(self.settings)

    @property
    def side(self) -> int:
        """Side in pixels of the square that `preprocess` makes; embedding may have its own."""
        return int(self.settings.size)

    def remarks(self, stored: int) -> list[str]:
        """What a person should know of these settings before a training, a line each.

        Args:
            stored: side of the stored images in pixels.
        """
        return remarks(self.settings, self.classes or (), stored)

    def make_edges(self, photos: Tensor) -> Tensor:
        """Edge maps as the model was trained with, for photos outside a store.

        Args:
            photos: (n, 1 or 3, H, W) uint8.

        Returns:
            (n, 1, H, W) uint8, dark on white.

        Raises:
            MissingError: the model's edge maps were taken from a folder.
        """
        from sbirctl.edges import known_maps

        return known_maps(photos.expand(-1, 3, -1, -1), *self.edge_source)

    def preprocess(self, images: Tensor, modality: Modality) -> Tensor:
        """The model's half of preprocessing: resize to its own size, mean and std.

        Args:
            images: (n, 1 or 3, H, W) uint8.

        Returns:
            (n, 3, side, side) float32 (channels last), on the images' device.
        """
        size = self.side
        values = images.float()
        if images.shape[-2:] != (size, size):
            mode = self.settings.resize
            values = nn.functional.interpolate(
                values, (size, size), mode=mode, antialias=True, align_corners=False
            )
            values = values.round_().clamp_(0, 255)  # as Pillow, which works on whole numbers
        values = (values.expand(-1, 3, -1, -1) / 255 - self._mean) / self._std
        return values.contiguous(memory_format=torch.channels_last)

    def autocast(self) -> AbstractContextManager[object]:
        """Context in which this model's forward pass runs in `compute_dtype`."""
        enabled = self.compute_dtype != torch.float32
        return torch.autocast(self._mean.device.type, self.compute_dtype, enabled=enabled)

    @abstractmethod
    def load_weights(self, weights: str) -> WeightsRecord:
        """Fill in the values to start from and say which they are.

        Args:
            weights: "pretrained" (the publisher's), "none" (leave the random ones) or a file.

        Raises:
            MissingError: no such file, or no network and nothing cached.
            MismatchError: the weights are another architecture's.
            CorruptError: the file is damaged.
        """

    def expected_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and deviation the published weights were trained with; None where unknown."""
        return None

    @abstractmethod
    def encode(self, batch: Batch) -> Encoded:
        """One joint pass over all modalities of the batch."""

    @abstractmethod
    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Named scalar terms and their weighted sum "total"."""

    @abstractmethod
    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """What `embed` normalises: preprocessed (n, 3, size, size) images to (n, dim)."""

    def embed(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 1 or 3, H, W) uint8 images to (n, dim) L2-normalised float32 embeddings.

        Call it in evaluation mode: only then a vector does not depend on its batch.
        """
        found = self._embed_once(images, modality, edges)
        if not self.settings.mirror:
            return found
        other = self._embed_once(
            images.flip(-1), modality, None if edges is None else edges.flip(-1)
        )
        return nn.functional.normalize(found + other, dim=-1)

    def _embed_once(self, images: Tensor, modality: Modality, edges: Tensor | None) -> Tensor:
        with torch.no_grad(), self.autocast():
            found = self.features(self.preprocess(images, modality), modality, edges)
        return nn.functional.normalize(found.float(), dim=-1)

    @abstractmethod
    def recipe(self) -> Sequence[Stage]:
        """The recipe. Models with `trainable = False` return ()."""

    def begin(self, stage: str) -> None:
        """Change what a stage changes in the network itself, such as which weights are shared.

        Called once before the stage's first step; `recipe` is asked again afterwards.
        """

    def checkpoint_state(self) -> dict[str, Tensor]:
        """What a checkpoint holds; models with frozen backbones return the trained part only."""
        return self.state_dict()

    def load_checkpoint_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `checkpoint_state` gave; strict about names and shapes."""
        self.load_state_dict(dict(state))
