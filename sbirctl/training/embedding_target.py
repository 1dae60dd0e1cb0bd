"""What to embed with: a run, a checkpoint file, or a model as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbirctl.core.config import to_dict
from sbirctl.core.errors import MismatchError
from sbirctl.core.files import digest_json, display_path
from sbirctl.core.home import home
from sbirctl.models import Model, create
from sbirctl.training.checkpoint import digest_state, read_checkpoint
from sbirctl.training.config import Flags, TrainingConfig
from sbirctl.training.find import CHECKPOINT
from sbirctl.training.inputs import Data, reopen
from sbirctl.training.restore import restore


@dataclass(frozen=True)
class EmbeddingTarget:
    """A model ready to embed, and the data its test side comes from.

    Attributes:
        model: in evaluation mode on its device.
        data: opened inputs.
        digest: of the weights, hexadecimal.
        place: where embeddings go by default, without the ending.
        facts: recorded with the embeddings.
    """

    model: Model
    data: Data
    digest: str
    place: Path
    facts: dict[str, Any]


def from_checkpoint(path: Path, given: Flags, *, device: str, weights: str) -> EmbeddingTarget:
    """A trained model and the data it was trained and shall be tested on.

    Args:
        path: the checkpoint.
        given: data set, target, task and split if typed; they must be the checkpoint's own.

    Raises:
        MismatchError: they are not, or the store has changed since.
    """
    checkpoint = read_checkpoint(path)
    facts = checkpoint.facts
    if "inputs" not in facts:
        raise MismatchError(f"{display_path(path)} does not say what it was trained on.")
    _refuse_other(facts["inputs"], given)
    data = reopen(facts)
    model = restore(checkpoint, device=device, weights=weights)
    inside = path.name == CHECKPOINT and (path.parent / "config.toml").is_file()
    name = f"{path.stem}-{checkpoint.digest[:8]}"
    place = path.parent / "embeddings" if inside else home() / "embeddings" / name
    more = {
        "seed": facts["seed"],
        "run": facts["run"],
        "weights": facts["weights"],
        "settings": checkpoint.settings,
        "trained": True,
        **_edges(model, data, facts.get("edges")),
    }
    return EmbeddingTarget(model, data, checkpoint.digest, place, more)


def from_registry(config: TrainingConfig, *, device: str) -> EmbeddingTarget:
    """A model as it is, without training."""
    data = config.open()
    settings = to_dict(config.settings)
    model = create(
        config.model,
        device=device,
        dtype=config.settings.precision,
        weights=config.weights,
        layers=[settings],
        seed=config.seed,
    )
    digest = digest_state(model.state_dict())
    record = {"name": model.weights.name, "sha256": model.weights.sha256}
    edges = _edges(model, data, None)
    facts = {
        "seed": config.seed,
        "weights": record,
        "settings": settings,
        "trained": False,
        **edges,
    }
    content = {"weights": digest, "settings": settings, **edges, **data.identity()}
    label = f"{config.model}-{data.label()}-{digest_json(content)[:8]}"
    return EmbeddingTarget(model, data, digest, home() / "embeddings" / label, facts)


def _refuse_other(inputs: Mapping[str, Any], given: Flags) -> None:
    for key, value in given.items():
        own = inputs[key]
        same = value == own or (key == "split" and own.endswith(f"/{value}"))
        if value and not same:
            raise MismatchError(
                f"The checkpoint's {key} is {own or 'none'}, not {value}.",
                "Leave that option out, or train for it.",
            )


def _edges(model: Model, data: Data, trained: Mapping[str, Any] | None) -> dict[str, Any]:
    """The edge maps of what is embedded, for the record; nothing where the model takes none.

    Raises:
        MissingError: the data set has none.
        MismatchError: the model was trained with another kind.
    """
    if not model.needs_edges:
        return {}
    store = data.target or data.store
    edges = store.require_edges()
    if trained is not None and edges["name"] != trained["name"]:
        raise MismatchError(
            f"{store.name} holds the edge maps {edges['name']}, the model was trained with "
            f"{trained['name']}.",
            f"Type `sbirctl prepare {store.name} --edges {trained['method']}` with its settings.",
        )
    return {"edges": edges}
