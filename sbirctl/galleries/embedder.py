"""The model of a gallery: made again from what the gallery keeps of it; both halves applied."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sbirctl.core.config import to_dict
from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.files import digest_json, display_path
from sbirctl.drawings.placement import Placement
from sbirctl.galleries.training_placement import training_placement
from sbirctl.store.images import to_pixels
from sbirctl.store.manifest import MODALITIES, Modality

if TYPE_CHECKING:
    from sbirctl.models import Model


_KEY = re.compile(r"[0-9a-f]{16}")
_MOST_SIZE = 1 << 14


@dataclass(frozen=True)
class ModelRecord:
    """Which model made a gallery's vectors; all that is needed to make it again.

    Attributes:
        name: registry name.
        checkpoint: path of a checkpoint; "" for a model as it comes.
        settings: resolved, as plain values.
        weights: what it starts from: "pretrained", "none" or a file; for a checkpoint "" for
            where they were in training.
        seed: of random starting values.
        digest: of the weights.
        size: side of the square the store's half of preprocessing makes.
        key: 16 hexadecimal digits of all that decides a photo's vector.
        placement: where its training sketches lie on their sheets.
    """

    name: str
    checkpoint: str
    settings: dict[str, Any]
    weights: str
    seed: int
    digest: str
    size: int
    key: str
    placement: Placement = field(default_factory=Placement)

    @property
    def label(self) -> str:
        """For people: a run's folder, or the model's name."""
        if not self.checkpoint:
            return self.name
        path = Path(self.checkpoint)
        return path.parent.name if path.stem == "checkpoint" else path.stem

    def to_json(self) -> str:
        """As a gallery keeps it."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | Mapping[str, Any]) -> ModelRecord:
        """A record that a gallery, which may come from elsewhere, keeps.

        Raises:
            ValueError: it is none.
        """
        try:
            values = json.loads(text) if isinstance(text, str) else dict(text)
            record = cls(**{**values, "placement": Placement(**values["placement"])})
        except (RecursionError, TypeError, KeyError) as error:
            raise ValueError(f"the model's record is none: {error!r:.200}") from error
        kinds = {"settings": dict, "seed": int, "size": int, "placement": Placement}
        right = all(type(getattr(record, f.name)) is kinds.get(f.name, str) for f in fields(cls))
        shares = asdict(record.placement).values()
        if (
            not right
            or not _KEY.fullmatch(record.key)
            or not 0 < record.size <= _MOST_SIZE
            or not all(type(v) in (int, float) and math.isfinite(v) for v in shares)
        ):
            raise ValueError("the model's record holds values it cannot have")
        return record


def key_of(name: str, digest: str, settings: Mapping[str, Any], size: int) -> str:
    """Of model, weights, what the network is built from and both halves of preprocessing."""
    from sbirctl.models import ModelSettings

    recipe = set(to_dict(ModelSettings())) - {"size", "mean", "std", "mirror"}
    own = {key: value for key, value in settings.items() if key not in recipe}
    content = {"model": name, "weights": digest, "settings": own, "size": size}
    return digest_json(content)[:16]


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
    def from_checkpoint(
        cls,
        path: Path,
        *,
        device: str = "auto",
        weights: str = "",
        placement: Placement | None = None,
    ) -> Embedder:
        """A trained model.

        Args:
            path: of the checkpoint.
            device: auto, cpu, cuda, …
            weights: where the starting weights are, "" for where they were in training.
            placement: where its training sketches lie; None to measure them.

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
            placement=placement or training_placement(checkpoint, path),
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
    def from_record(
        cls, record: ModelRecord, *, device: str = "auto", weights: str = "", renew: bool = False
    ) -> Embedder:
        """The model a gallery was made with.

        Args:
            record: what the gallery keeps of it.
            device: auto, cpu, cuda, …
            weights: where the starting weights are, "" for where they were.
            renew: take the weights the same run or model has now.

        Raises:
            MissingError: its checkpoint or weights are gone.
            MismatchError: they are not what they were, and are not to be renewed.
        """
        weights = weights or record.weights
        if record.checkpoint:
            if not os.path.isfile(record.checkpoint):
                raise MissingError(
                    f"The run of the gallery is gone, or out of reach: "
                    f"{display_path(record.checkpoint)}.",
                    "Index again with another: `sbirctl index --name NAME --model RUN`.",
                )
            path, placement = Path(record.checkpoint), None if renew else record.placement
            made = cls.from_checkpoint(path, device=device, weights=weights, placement=placement)
        else:
            made = cls.from_registry(
                record.name, [record.settings], device=device, weights=weights, seed=record.seed
            )
        if not renew and made.record.digest != record.digest:
            what = display_path(record.checkpoint or record.name)
            raise MismatchError(
                f"{what} has other weights than when the photos were indexed.",
                "Index them again: `sbirctl index --name NAME`.",
            )
        return made if renew else cls(made.model, record)

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
