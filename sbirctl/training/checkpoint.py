"""Checkpoints: the weights of a trained model and everything needed to know what they are.

A checkpoint is one safetensors file. Its metadata has a single key `sbirctl` with a JSON object
(several keys would be written in no fixed order, and equal runs shall give equal bytes); the keys
are in docs/formats.md. The header alone is read without torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from sbirctl.core.config import METHOD, kinds, to_dict
from sbirctl.core.errors import CorruptError, MismatchError, MissingError
from sbirctl.core.files import announce_reading, atomic_path, display_path, refuse_shortage
from sbirctl.core.forms import Maybe, check_form
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import rebuild
from sbirctl.retrieval.provenance import Provenance
from sbirctl.training.inputs import DATA_FORM, DataRecord

if TYPE_CHECKING:
    from torch import Tensor

    from sbirctl.models import Model

SCHEMA = 2
_KEY = "sbirctl"
_FORM = {
    "model": str,
    "settings": dict,
    "settings_version": Maybe(int),
    "recipe": Maybe([str]),
    "classes": Maybe([str]),
    "weights_digest": str,
    "provenance": dict,
    "data": Maybe(DATA_FORM),
}


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file says and holds.

    Attributes:
        model: registry name.
        settings: nested plain values, as `core.config.to_dict` gives them.
        classes: names of the training classes, in the order of the labels.
        digest: SHA-256 over names, types, shapes and values of `state`.
        version: `Model.settings_version` of the model that wrote it.
        recipe: the settings that only say how to train.
        provenance: what it was trained on and how.
        data: what `training.inputs.reopen` takes; None where the training had no prepared data.
        state: what `Model.checkpoint_state` gave, on the CPU.
    """

    model: str
    settings: dict[str, Any]
    classes: tuple[str, ...] | None
    digest: str
    provenance: Provenance = field(default_factory=Provenance)
    data: DataRecord | None = None
    state: dict[str, Tensor] = field(default_factory=dict)
    version: int = 1
    recipe: tuple[str, ...] = ()


def save_checkpoint(
    path: Path, model: Model, provenance: Provenance, data: DataRecord | None = None
) -> str:
    """Write a checkpoint atomically; returns the digest of its weights."""
    from safetensors.torch import save_file

    state = portable(model.checkpoint_state())
    digest = digest_state(state)
    about = {
        "schema": SCHEMA,
        "model": model.name,
        "settings": to_dict(model.settings),
        "settings_version": model.settings_version,
        "recipe": recipe_keys(type(model).Settings),
        "classes": None if model.classes is None else list(model.classes),
        "weights_digest": digest,
        "provenance": provenance.to_json(),
        "data": None if data is None else vars(data),
    }
    text = json.dumps(about, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata={_KEY: text})
    return digest


def read_checkpoint(path: Path, *, tensors: bool = True) -> Checkpoint:
    """Read a checkpoint, or with `tensors=False` only what its header says.

    Raises:
        MissingError: there is no such file, or it may not be read.
        CorruptError: it is no checkpoint of this program, of a newer format, or damaged.
    """
    try:
        there = path.is_file()
        if there:  # safetensors says of a file it may not read that there is none
            open(path, "rb").close()
    except OSError as error:
        raise MissingError(
            f"{display_path(path)} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
    if not there:
        raise MissingError(
            f"There is no checkpoint {display_path(path)}.", "Name a run: see `sbirctl runs`."
        )
    announce_reading(path)
    try:
        with safe_open(path, framework="pt" if tensors else "numpy") as stream:
            about = json.loads((stream.metadata() or {}).get(_KEY, "null"))
            names = stream.keys() if tensors else ()
            state = {name: stream.get_tensor(name) for name in names}
    except (SafetensorError, ValueError, RecursionError, OSError) as error:
        refuse_shortage(error)
        raise CorruptError(
            f"{display_path(path)} is damaged or no checkpoint: {error}.",
            "Copy it again, or train again with --fresh.",
        ) from error
    if not isinstance(about, dict):
        raise CorruptError(
            f"{display_path(path)} was not written by sbirctl.",
            "Foreign weights go in with --weights FILE.",
        )
    hint = "Copy it again, or train again with --fresh."
    check_form(about, {"schema": int}, path, hint)
    if about["schema"] != SCHEMA:
        newer = about["schema"] > SCHEMA
        raise CorruptError(
            f"{display_path(path)} has checkpoint format {about['schema']}, which is"
            f" {'newer' if newer else 'older'} than what this program reads, {SCHEMA}.",
            "Update sbirctl." if newer else "Train again with --fresh.",
        )
    check_form(about, _FORM, path, hint)
    if tensors and digest_state(state) != about["weights_digest"]:
        raise CorruptError(f"The weights in {display_path(path)} do not have their digest.", hint)
    classes, data = about.get("classes"), about.get("data")
    return Checkpoint(
        about["model"],
        about["settings"],
        None if classes is None else tuple(classes),
        about["weights_digest"],
        Provenance.from_json(about["provenance"]),
        None if data is None else DataRecord(**{key: data[key] for key in DATA_FORM}),
        state,
        about.get("settings_version") or 1,
        tuple(about.get("recipe") or ()),
    )


def restore(
    checkpoint: Checkpoint, *, device: str = "auto", weights: str = "", report: Reporter = SILENT
) -> Model:
    """Build the model a checkpoint describes and give it its weights.

    Checkpoints of models with frozen parts hold the trained parameters only; the rest comes from
    the weights the training started from.

    Args:
        checkpoint: with its tensors.
        device: auto, cpu, cuda, …
        weights: where the starting weights are, "" for where they were in training.
        report: is told of settings of the training that are no longer known.

    Raises:
        MismatchError: the tensors, or the starting weights, are not those of this model.
        MissingError: the starting weights are needed and not there.
    """
    known = checkpoint.provenance
    model = rebuild(
        checkpoint.model,
        checkpoint.settings,
        checkpoint.classes,
        device=device,
        dtype=checkpoint.settings.get("precision", "auto"),
        seed=known.seed or 0,
        version=checkpoint.version,
        recipe=checkpoint.recipe,
        report=report,
    )
    if not set(model.state_dict()) <= set(checkpoint.state):
        started = known.weights
        if started is None:
            raise MismatchError(
                "The checkpoint does not hold the whole model, nor say what it started from.",
                "Train again.",
            )
        record = model.load_weights(weights or started.source)
        if record.sha256 != started.sha256:
            raise MismatchError(
                f"{record.name} is not the file this model was trained from "
                f"({started.name}, SHA-256 {started.sha256[:12]}…).",
                "Name the right one with --weights FILE.",
            )
        model.weights = record
    try:
        model.load_checkpoint_state(checkpoint.state)
    except (RuntimeError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise MismatchError(
            f"The checkpoint's tensors do not fit {checkpoint.model}: {first}",
            "It was made with another version of the model.",
        ) from error
    if known.edges is not None:
        model.edge_source = (known.edges.method, known.edges.parameters)
    return model.eval()


def recipe_keys(schema: type) -> list[str]:
    """Settings outside groups that do not say what the model is, sorted."""
    return sorted(
        key for key, kind in kinds(schema).items() if kind not in METHOD and "." not in key
    )


def portable(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as safetensors wants it: on the CPU, dense, no two tensors sharing memory."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()
    }


def digest_state(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values, independent of order and file format."""
    import torch

    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
