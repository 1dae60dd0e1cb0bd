"""What a gallery keeps of its model: all that is needed to make it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sbirctl.core.config import to_dict
from sbirctl.core.files import digest_json
from sbirctl.drawings.placement import Placement


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


def record_from_json(values: dict[str, Any]) -> ModelRecord:
    """A model's record from a manifest."""
    return ModelRecord(**{**values, "placement": Placement(**values["placement"])})


def key_of(name: str, digest: str, settings: Mapping[str, Any], size: int) -> str:
    """Of model, weights, what the network is built from and both halves of preprocessing."""
    from sbirctl.models import ModelSettings

    recipe = set(to_dict(ModelSettings())) - {"size", "mean", "std", "mirror"}
    own = {key: value for key, value in settings.items() if key not in recipe}
    content = {"model": name, "weights": digest, "settings": own, "size": size}
    return digest_json(content)[:16]
