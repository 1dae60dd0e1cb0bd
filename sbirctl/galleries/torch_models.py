"""Models of galleries whose vectors torch makes: from a checkpoint, a model's name, a record."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sbirctl.core.config import to_dict
from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.core.files import digest_json, display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.galleries.model_record import ModelRecord
from sbirctl.galleries.training_placement import training_placement
from sbirctl.inference.encoder import Encoder
from sbirctl.inference.torch_encoder import TorchEncoder


def from_checkpoint(
    path: Path, *, device: str = "auto", weights: str = "", report: Reporter = SILENT
) -> tuple[ModelRecord, Encoder]:
    """A trained model.

    Args:
        path: of the checkpoint.
        device: auto, cpu, cuda, …
        weights: where the starting weights are, "" for where they were in training.
        report: is told of settings of the training that are no longer known.

    Raises:
        MissingError, CorruptError, MismatchError: as `training.checkpoint.restore`.
    """
    from sbirctl.training.checkpoint import read_checkpoint, restore

    checkpoint = read_checkpoint(path)
    model = restore(checkpoint, device=device, weights=weights, report=report)
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
        placement=training_placement(checkpoint, path),
    )
    return record, TorchEncoder(model, size)


def from_registry(
    name: str,
    layers: Sequence[Mapping[str, Any]] = (),
    *,
    device: str = "auto",
    weights: str = "pretrained",
    seed: int = 0,
    report: Reporter = SILENT,
) -> tuple[ModelRecord, Encoder]:
    """A model as it comes, without training; `report` is told of settings renamed meanwhile.

    Raises:
        UsageError, MissingError, MismatchError: as `models.create`.
    """
    from sbirctl.models import create, publishers, resolve_settings
    from sbirctl.training.checkpoint import digest_state

    chosen = resolve_settings(name, layers, weights=weights, report=report)
    settings = to_dict(chosen)
    weights = publishers(weights)
    model = create(
        name, device=device, dtype=chosen.precision, weights=weights, layers=[settings],
        seed=seed, report=report,
    )  # fmt: skip
    digest = digest_state(model.state_dict())
    size = chosen.size
    key = key_of(name, digest, settings, size)
    record = ModelRecord(name, "", settings, weights, seed, digest, size, key)
    return record, TorchEncoder(model, size)


def again(record: ModelRecord, device: str = "auto") -> Encoder:
    """The model that a gallery's record describes.

    Raises:
        MissingError: its checkpoint or weights are gone.
        MismatchError: they are not what they were.
    """
    if record.checkpoint and not os.path.isfile(record.checkpoint):
        raise MissingError(
            f"The run of the gallery is gone, or out of reach: {display_path(record.checkpoint)}.",
            "Index again with another: `sbirctl index --gallery NAME --model RUN`.",
        )
    if record.checkpoint:
        path = Path(record.checkpoint)
        made, encoder = from_checkpoint(path, device=device, weights=record.weights)
    else:
        made, encoder = from_registry(
            record.name, [record.settings], device=device, weights=record.weights, seed=record.seed
        )
    if made.digest != record.digest:
        what = display_path(record.checkpoint or record.name)
        raise MismatchError(
            f"{what} has other weights than when the photos were indexed.",
            f"Index them again: `sbirctl index --gallery NAME --model {what}`.",
        )
    return encoder


def key_of(name: str, digest: str, settings: Mapping[str, Any], size: int) -> str:
    """Of model, weights, what the network is built from and both halves of preprocessing."""
    from sbirctl.models import ModelSettings

    recipe = set(to_dict(ModelSettings())) - {"size", "mean", "std", "mirror"}
    if settings.get("precision") in ("bf16", "fp16"):
        recipe.remove("precision")
    own = {key: value for key, value in settings.items() if key not in recipe}
    content = {"model": name, "weights": digest, "settings": own, "size": size}
    return digest_json(content)[:16]
