"""What holds for a run: settings of its model and options of its task, from all layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sbirctl.core.config import keys, resolve
from sbirctl.core.errors import UsageError, nearest
from sbirctl.models import MODELS, ModelSettings, resolve_settings
from sbirctl.tasks import TASKS, Holdout, TaskOptions

Layers = Sequence[Mapping[str, Any]]


def resolve_layers(model: str, task: str, layers: Layers) -> tuple[ModelSettings, TaskOptions]:
    """The settings of a model and the options of a task, from layers that hold both.

    Args:
        layers: of rising precedence, as `core.config` reads them.

    Raises:
        UsageError: an unknown model, task, key or value, or an option of another task.
    """
    settings, options = keys(MODELS.get(model).Settings), keys(TASKS.get(task).Options)
    for key in dict.fromkeys(key for layer in layers for key in layer):
        if key not in settings and key not in options:
            raise _unknown(key, task, [*settings, *options])
    own = resolve(TASKS.get(task).Options, *_only(layers, options))
    return resolve_settings(model, _only(layers, settings)), own


def holdout_of(settings: ModelSettings, seed: int) -> Holdout:
    """What a recipe holds out for validation."""
    return Holdout(0.0 if settings.val == "none" else settings.val_fraction, seed)


def _only(layers: Layers, names: Sequence[str]) -> list[dict[str, Any]]:
    return [{key: value for key, value in layer.items() if key in names} for layer in layers]


def _unknown(key: str, task: str, known: Sequence[str]) -> UsageError:
    """Why a key is none of the model's settings and none of the task's options."""
    elsewhere: dict[str, list[str]] = {}
    for other in TASKS.names():
        for name in keys(TASKS.get(other).Options):
            if name not in known:
                elsewhere.setdefault(name, []).append(other)
    if key in elsewhere:
        owners = elsewhere[key]
        return UsageError(
            f"{key!r} is an option of the task {' and '.join(owners)}, not of {task}.",
            f"Add --task {owners[0]}, or leave {key} out: see `sbirctl tasks {task}`.",
        )
    return UsageError(f"There is no setting {key!r}.", nearest(key, [*known, *elsewhere]))
