"""What to embed with: a run, a checkpoint file, or a model as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbirctl.core.config import to_dict
from sbirctl.core.errors import MismatchError, MissingError, UsageError, nearest
from sbirctl.core.files import digest_json, display_path
from sbirctl.core.home import home, runs_dir
from sbirctl.models import MODELS, Model, create
from sbirctl.training.checkpoint import digest_state, read_checkpoint
from sbirctl.training.config import holdout_of, resolve_layers
from sbirctl.training.inputs import Data, Inputs, reopen
from sbirctl.training.restore import restore

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Source:
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


def is_model(text: str) -> bool:
    """Whether `text` names a model rather than a run or a file."""
    return text in MODELS.names() and not Path(text).exists()


def find_checkpoint(text: str) -> Path:
    """The checkpoint of a run's folder, a run's name or a file.

    Raises:
        MissingError: the run is not finished, or there is no such thing.
    """
    path = Path(text).expanduser()
    if not path.exists() and (runs_dir() / text / "config.toml").is_file():
        path = runs_dir() / text
    if path.is_dir():
        if not (path / CHECKPOINT).is_file():
            if not (path / "config.toml").is_file():
                raise MissingError(
                    f"The folder {display_path(path)} is no run.",
                    "Name a run (see `sbirctl runs`), a checkpoint or an embeddings file.",
                )
            raise MissingError(
                f"The run {display_path(path)} has no checkpoint yet.",
                "Type the same `sbirctl train …` again; it continues.",
            )
        return path / CHECKPOINT
    if not path.is_file():
        if text in MODELS.names():
            raise MissingError(
                f"{text!r} is a model; a run of it is needed.",
                f"Name one (see `sbirctl runs`), or type `sbirctl train {text}` first.",
            )
        hint = nearest(text, MODELS.names())
        raise MissingError(f"There is no run, checkpoint or model {text!r}.", hint)
    return path


def from_checkpoint(path: Path, given: Mapping[str, str], *, device: str, weights: str) -> Source:
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
    return Source(model, data, checkpoint.digest, place, more)


def from_registry(
    name: str,
    given: Mapping[str, str],
    layers: Sequence[Mapping[str, Any]],
    *,
    device: str,
    weights: str,
    seed: int,
) -> Source:
    """A model as it is, without training."""
    settings, options = resolve_layers(name, given["task"], layers)
    data = Inputs(**given, options=options).open(holdout_of(settings, seed))
    model = create(
        name,
        device=device,
        dtype=settings.precision,
        weights=weights or "pretrained",
        layers=[to_dict(settings)],
        seed=seed,
    )
    digest = digest_state(model.state_dict())
    record = {"name": model.weights.name, "sha256": model.weights.sha256}
    facts = {"seed": seed, "weights": record, "settings": to_dict(settings), "trained": False}
    edges = _edges(model, data, None)
    facts |= edges
    content = {"weights": digest, "settings": facts["settings"], **edges, **data.identity()}
    label = f"{name}-{data.label()}-{digest_json(content)[:8]}"
    return Source(model, data, digest, home() / "embeddings" / label, facts)


def _refuse_other(inputs: Mapping[str, Any], given: Mapping[str, str]) -> None:
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


def refuse_settings(assignments: Sequence[str]) -> None:
    """Raise UsageError where settings are given for a model that has its own."""
    if assignments:
        raise UsageError(
            f"A checkpoint has its own settings; {assignments[0]!r} cannot change them.",
            "Leave out --set and --config.",
        )
