"""The model of a gallery: made again from what the gallery keeps of it; both halves applied."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sbirctl.core.config import to_dict
from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.files import display_path
from sbirctl.galleries.record import ModelRecord, key_of
from sbirctl.galleries.training_frame import frame_of
from sbirctl.store.images import to_pixels
from sbirctl.store.manifest import MODALITIES, Modality

if TYPE_CHECKING:
    from sbirctl.models import Model


class Embedder:
    """A model in evaluation mode, with the store's half of its preprocessing.

    Attributes:
        record: which model it is.
        dim: length of a vector.
    """

    def __init__(self, model: Model, record: ModelRecord) -> None:
        self.model = model
        self.record = record
        self.dim = int(model.dim)

    @classmethod
    def from_checkpoint(cls, path: Path, *, device: str = "auto", weights: str = "") -> Embedder:
        """A trained model.

        Raises:
            MissingError, CorruptError, MismatchError: as `training.restore.restore`.
        """
        from sbirctl.training.checkpoint import read_checkpoint
        from sbirctl.training.restore import restore

        checkpoint = read_checkpoint(path)
        model = restore(checkpoint, device=device, weights=weights)
        size = checkpoint.data.size if checkpoint.data else int(model.settings.size)
        record = ModelRecord(
            name=checkpoint.model,
            checkpoint=str(path.absolute()),
            settings=checkpoint.settings,
            weights=weights,
            seed=checkpoint.provenance.seed or 0,
            digest=checkpoint.digest,
            size=size,
            key=key_of(checkpoint.model, checkpoint.digest, checkpoint.settings, size),
            frame=frame_of(checkpoint, path),
        )
        return cls(model, record)

    @classmethod
    def from_registry(
        cls,
        name: str,
        layers: Sequence[Mapping[str, Any]] = (),
        *,
        device: str = "auto",
        weights: str = "pretrained",
        seed: int = 0,
    ) -> Embedder:
        """A model as it comes, without training.

        Raises:
            UsageError, MissingError, MismatchError: as `models.factory.create`.
        """
        from sbirctl.models import create, resolve_settings
        from sbirctl.training.checkpoint import digest_state

        settings = to_dict(resolve_settings(name, layers))
        model = create(
            name,
            device=device,
            dtype=settings["precision"],
            weights=weights,
            layers=[settings],
            seed=seed,
        )
        digest = digest_state(model.state_dict())
        size = int(settings["size"])
        key = key_of(name, digest, settings, size)
        return cls(model, ModelRecord(name, "", settings, weights, seed, digest, size, key))

    @classmethod
    def again(cls, record: ModelRecord, *, device: str = "auto") -> Embedder:
        """The model a gallery was made with.

        Raises:
            MissingError: its checkpoint or weights are gone.
            MismatchError: they are not what they were.
        """
        made = cls.renewed(record, device=device)
        if made.record.digest != record.digest:
            what = display_path(record.checkpoint or record.name)
            raise MismatchError(
                f"{what} has other weights than when the photos were indexed.",
                "Index them again: `sbirctl index --name NAME`.",
            )
        return cls(made.model, record)

    @classmethod
    def renewed(cls, record: ModelRecord, *, device: str = "auto", weights: str = "") -> Embedder:
        """The same run or model with the weights it has now.

        Raises:
            MissingError: its checkpoint or weights are gone.
        """
        if record.checkpoint:
            if not os.path.isfile(record.checkpoint):
                raise MissingError(
                    f"The run of the gallery is gone, or out of reach: "
                    f"{display_path(record.checkpoint)}.",
                    "Index again with another: `sbirctl index --name NAME --model RUN`.",
                )
            return cls.from_checkpoint(
                Path(record.checkpoint), device=device, weights=weights or record.weights
            )
        return cls.from_registry(
            record.name,
            [record.settings],
            device=device,
            weights=weights or record.weights,
            seed=record.seed,
        )

    @property
    def has_text(self) -> bool:
        """Whether the model has a text tower."""
        return callable(getattr(self.model, "embed_text", None))

    @property
    def device(self) -> str:
        """Where the model computes, as torch calls it: "cpu", "cuda:0", …"""
        from sbirctl.training.embedding import device_of

        return str(device_of(self.model))

    def pixels(self, image: Image.Image, modality: Modality) -> np.ndarray:
        """The store's half: (size, size, C) uint8."""
        return to_pixels(image, modality, self.record.size)

    def embed(self, pixels: np.ndarray, modality: Modality) -> np.ndarray:
        """The model's half and the model.

        Args:
            pixels: (n, size, size, C) uint8 as `pixels` gives them; C = 3 photos, 1 sketches.

        Returns:
            (n, dim) float32, L2-normalised.
        """
        import torch

        from sbirctl.training.embedding import device_of
        from sbirctl.training.loader import to_tensor

        images = to_tensor(pixels)
        edges = None
        if self.model.needs_edges and modality == "photo":
            edges = self.model.make_edges(images)
        device = device_of(self.model)
        with torch.inference_mode():
            moved = None if edges is None else edges.to(device)
            return self.model.embed(images.to(device), modality, moved).float().cpu().numpy()

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32, L2-normalised.

        Raises:
            UsageError: the model has no text tower.
        """
        model: Any = self.model
        if not self.has_text:
            raise UsageError(
                f"{self.record.name} has no text tower.",
                "Index with one that has: `sbirctl index FOLDER --model clip`.",
            )
        import torch

        with torch.inference_mode():
            return model.embed_text(list(texts)).float().cpu().numpy()


def as_modality(text: str) -> Modality:
    """A modality by its name.

    Raises:
        UsageError: there is no such modality.
    """
    for known in MODALITIES:
        if text == known:
            return known
    raise UsageError(f"There is no modality {text!r}.", "Say photo or sketch.")
