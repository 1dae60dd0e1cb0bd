"""The model of a gallery as an encoder, made again from what the gallery keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.files import digest_json, display_path
from sbirctl.galleries.model_record import ModelRecord
from sbirctl.inference.encoder import Encoder
from sbirctl.inference.onnx import STARTER_FOLDER, OnnxEncoder
from sbirctl.inference.presence import Presence
from sbirctl.store.images import to_pixels
from sbirctl.store.manifest import MODALITIES, Modality


class Embedder:
    """The encoder of a gallery, with the store's half of preprocessing.

    Args:
        record: which model it is.
        dim: length of a vector.
        make: gives the encoder; called when it is first needed.
    """

    def __init__(self, record: ModelRecord, dim: int, make: Callable[[], Encoder]) -> None:
        self.record = record
        self.dim = dim
        self._make = make

    @classmethod
    def of(cls, record: ModelRecord, encoder: Encoder) -> Embedder:
        """An encoder that is there."""
        return cls(record, encoder.dim, lambda: encoder)

    @classmethod
    def from_export(
        cls, folder: Path, *, checkpoint: str = "", weights: str = "", seed: int = 0
    ) -> Embedder:
        """An exported model.

        Args:
            folder: of the export.
            checkpoint, weights, seed: what it was exported from, see `ModelRecord`.

        Raises:
            MissingError, CorruptError, MismatchError: as `OnnxEncoder`.
        """
        encoder = OnnxEncoder(folder)
        card, files = encoder.card, encoder.card["files"]
        decisive = [files["photo"]["sha256"], files["weights"]["sha256"], encoder.sizes["photo"]]
        record = ModelRecord(
            name=card["model"],
            checkpoint=checkpoint,
            settings=dict(card.get("settings", {})),
            weights=weights,
            seed=seed,
            digest=card["weights_digest"],
            size=encoder.sizes["photo"],
            key=digest_json(decisive)[:16],
            placement=encoder.placement,
            runtime="onnx",
            export="" if folder.absolute() == STARTER_FOLDER else str(folder.absolute()),
        )
        return cls.of(record, encoder)

    @classmethod
    def from_record(cls, record: ModelRecord, dim: int, *, device: str = "auto") -> Embedder:
        """The model a gallery was made with.

        Args:
            record: what the gallery keeps of it.
            dim: length of the gallery's vectors.
            device: auto, cpu, cuda, … for torch.

        Raises:
            MissingError: its export is gone.
            MismatchError: it is not what it was.
            UsageError: a device that ONNX Runtime does not compute on here.
        """
        if record.runtime == "torch":
            return cls(record, dim, lambda: _in_torch(record, device))
        if device not in ("auto", "cpu"):
            raise UsageError(
                f"The gallery's vectors are made by ONNX Runtime, not on {device!r}.",
                "Leave out --device, or index again with --runtime torch.",
            )
        folder = export_folder(record)
        if not folder.is_dir():
            raise MissingError(
                f"The exported model of the gallery is gone, or out of reach: "
                f"{display_path(folder)}.",
                "Index again with another: `sbirctl index --gallery NAME --model RUN`.",
            )
        found = cls.from_export(folder)
        if (found.record.key, found.dim) != (record.key, dim):
            raise MismatchError(
                f"{display_path(folder)} is another model than when the photos were indexed.",
                "Index them again: `sbirctl index --gallery NAME`.",
            )
        return cls.of(record, found.encoder)

    @cached_property
    def encoder(self) -> Encoder:
        """What makes the vectors.

        Raises:
            MissingError, MismatchError: the model is gone, or not what it was.
        """
        return self._make()

    @property
    def has_text(self) -> bool:
        """Whether the model has a text tower."""
        return self.encoder.has_text

    @property
    def presence(self) -> Presence | None:
        """Whether anything like a drawing is there; None where the model does not say how."""
        return self.encoder.presence if isinstance(self.encoder, OnnxEncoder) else None

    @property
    def caution(self) -> str:
        """What speaks against what it finds for a drawing, for people; "" where nothing is known.

        For torch this is not known of trained models.
        """
        trained, data = bool(self.record.checkpoint), None
        if isinstance(self.encoder, OnnxEncoder):
            card = self.encoder.card
            data = card.get("provenance", {}).get("dataset")
            trained = data is not None or "training" in card
        if data == "demo":
            return "This model was trained on drawn pictures alone, not on photos."
        if not trained and not self.has_text:
            return (
                f"{self.record.name} as it comes was never trained on sketches: what it finds for "
                "a drawing may be chance. --model starter was."
            )
        return ""

    @property
    def device(self) -> str:
        """Where the model computes, as torch calls it: "cpu", "cuda:0", …"""
        return self.encoder.device

    def pixels(self, image: Image.Image, modality: Modality) -> np.ndarray:
        """The store's half: (size, size, C) uint8."""
        return to_pixels(image, modality, self.encoder.sizes[modality])

    def embed(self, pixels: np.ndarray, modality: Modality) -> np.ndarray:
        """(n, size, size, C) uint8 as `pixels` gives them to (n, dim) float32 unit vectors."""
        return self.encoder.embed(pixels, modality)

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32, L2-normalised.

        Raises:
            UsageError: the model has no text tower.
        """
        if not self.has_text:
            raise UsageError(
                f"{self.record.name} has no text tower.",
                "Index with one that has: `sbirctl index FOLDER --model clip`.",
            )
        return self.encoder.embed_text(texts)


def export_folder(record: ModelRecord) -> Path:
    """Where the exported model of a gallery lies; the starter's is part of the program."""
    return Path(record.export) if record.export else STARTER_FOLDER


def _in_torch(record: ModelRecord, device: str) -> Encoder:
    from sbirctl.galleries.torch_models import again

    return again(record, device)


def as_modality(text: str) -> Modality:
    """A modality by its name.

    Raises:
        UsageError: there is no such modality.
    """
    for known in MODALITIES:
        if text == known:
            return known
    raise UsageError(f"There is no modality {text!r}.", "Say photo or sketch.")
