"""What to embed with: a run, a checkpoint file, or a model as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sbirctl.core.config import resolve, to_dict
from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.core.files import digest_json, display_path
from sbirctl.core.home import CHECKPOINT, home
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import MODELS, Model, create
from sbirctl.retrieval.provenance import EdgeMaps, Provenance
from sbirctl.training.checkpoint import Checkpoint, digest_state, read_checkpoint, restore
from sbirctl.training.config import Flags, TrainingConfig, with_model
from sbirctl.training.inputs import Data, Found, reopen
from sbirctl.training.other_data import on_other_data


@dataclass(frozen=True)
class EmbeddingTarget:
    """A model ready to embed, and the data its test side comes from.

    Attributes:
        model: in evaluation mode on its device.
        data: opened inputs.
        digest: of the weights, hexadecimal.
        place: where embeddings go by default, without the ending.
        provenance: recorded with the embeddings.
    """

    model: Model
    data: Data
    digest: str
    place: Path
    provenance: Provenance


def from_checkpoint(
    path: Path,
    given: Flags,
    *,
    device: str,
    weights: str,
    settings: Mapping[str, Any] | None = None,
    leaks: str = "refuse",
    report: Reporter = SILENT,
) -> EmbeddingTarget:
    """A trained model and the data it was trained and shall be tested on.

    Args:
        path: the checkpoint.
        given: data set, target, task and split if typed; another data set or split than the
            checkpoint's own is tested without being trained for (`other_data`).
        settings: `precision` and the model's `embedding_settings`, instead of those it was trained
            with.
        leaks: what becomes of tested classes and images that were trained on there.

    Raises:
        UsageError: another setting.
        MismatchError: other data, or the store has changed since.
    """
    checkpoint = _embedded_with(read_checkpoint(path), settings or {})
    if checkpoint.data is None:
        raise MismatchError(f"{display_path(path)} does not say what it was trained on.")
    own = checkpoint.data.inputs
    differing = [key for key, value in given.items() if value and not _is_own(own, key, value)]
    other = "dataset" in differing or "split" in differing
    if other:
        data, known = on_other_data(checkpoint, given, leaks, report)
    elif differing:
        raise MismatchError(
            f"The checkpoint's {differing[0]} is {own[differing[0]] or 'none'}, not "
            f"{given.get(differing[0])}.",
            "Leave that option out, or train for it.",
        )
    else:
        data, known = reopen(checkpoint.data), checkpoint.provenance
    model = restore(checkpoint, device=device, weights=weights, report=report)
    inside = path.name == CHECKPOINT and (path.parent / "config.toml").is_file()
    name = f"{path.parent.name if inside else path.stem}-{checkpoint.digest[:8]}"
    folder = path.parent if inside and not other else home() / "embeddings"
    label = f"{name}-on-{data.label()}-{_short(data)}" if other else name
    label = "embeddings" if inside and not other else label
    endings = [f"-{key}-{value}" for key, value in sorted((settings or {}).items())]
    place = folder / "".join([label, *endings])
    edges = _edges(model, data, checkpoint.provenance.edges)
    provenance = replace(known, edges=edges)
    return EmbeddingTarget(model, data, checkpoint.digest, place, provenance)


def _short(data: Data) -> str:
    """Of what is tested: eight digits that differ where the test side does."""
    test = data.partition.test
    counts = [len(test.photo), len(test.sketch), *test.classes]
    return digest_json([data.identity(), counts])[:8]


def from_registry(
    config: TrainingConfig, *, device: str, found: Found | None = None, report: Reporter = SILENT
) -> EmbeddingTarget:
    """A model as it is, without training; `found` is what its inputs name, see `Inputs.find`."""
    data = config.open(found)
    settings = to_dict(config.settings)
    model = create(
        config.model,
        device=device,
        dtype=config.settings.precision,
        weights=config.weights,
        layers=[settings],
        seed=config.seed,
        report=report,
    )
    digest = digest_state(model.state_dict())
    edges = _edges(model, data, None)
    content = {"weights": digest, "settings": settings, **data.identity()}
    if edges is not None:
        content["edges"] = edges.pixels
    label = f"{config.model}-{data.label()}-{digest_json(content)[:8]}"
    provenance = replace(with_model(data, config, model, edges), trained=False)
    return EmbeddingTarget(model, data, digest, home() / "embeddings" / label, provenance)


def _embedded_with(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint with other settings of the embedding."""
    model = MODELS.get(checkpoint.model)
    may = (*model.embedding_settings, "precision")
    for key, value in settings.items():
        if key not in may:
            raise UsageError(
                f"A checkpoint has its own settings; '{key}={value}' cannot change them.",
                f"Only {', '.join(may)} may: they change no weight.",
            )
    if not settings:
        return checkpoint
    changed = to_dict(resolve(model.Settings, checkpoint.settings, settings))
    provenance = replace(checkpoint.provenance, settings=changed)
    return replace(checkpoint, settings=changed, provenance=provenance)


def _is_own(own: Mapping[str, Any], key: str, value: object) -> bool:
    """Whether what was typed is the checkpoint's own; a split may lack its data set's name."""
    return bool(value == own[key]) or (key == "split" and own[key].endswith(f"/{value}"))


def _edges(model: Model, data: Data, trained: EdgeMaps | None) -> EdgeMaps | None:
    """The edge maps of what is embedded, for the record; None where the model takes none.

    Raises:
        MissingError: the data set has none.
        MismatchError: the model was trained with another kind.
    """
    if not model.needs_edges:
        return None
    store = data.target or data.store
    edges = store.require_edges()
    if trained is not None and edges.name != trained.name:
        raise MismatchError(
            f"{store.name} holds the edge maps {edges.name}, the model was trained with "
            f"{trained.name}.",
            f"Type `sbirctl prepare {store.name} --edges {trained.method}` with its settings.",
        )
    return edges
