"""Layers that hold settings and options: which are whose, and which are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sbirctl.core.config import Layer, Plain, keys, resolve
from sbirctl.core.errors import UsageError, nearest
from sbirctl.models import refuse_preset, settings_schema
from sbirctl.tasks import TASKS

Layers = Sequence[Mapping[str, Plain]]


def parted(schema: type, task: str, layers: Layers) -> tuple[list[Layer], ...]:
    """The layers of the model's settings alone, and those of the task's options.

    Args:
        schema: of the settings.
        task: its name.
        layers: of rising precedence, as `core.config` reads them.

    Raises:
        UsageError: an unknown task or key, or an option of another task.
    """
    settings, options = keys(schema, former=True), keys(TASKS.get(task).Options)
    for key in dict.fromkeys(key for layer in layers for key in layer):
        if key not in settings and key not in options:
            raise _unknown(key, task, [*keys(schema), *options])
    return _only(layers, settings), _only(layers, options)


def refuse_wrong(model: str, task: str, layers: Layers) -> None:
    """Tell what is wrong with settings and options without importing the model, hence torch.

    What only the model itself knows, such as a size its network does not take, is told later.

    Args:
        model: a registered model.
        task, layers: see `parted`.

    Raises:
        UsageError: an unknown key, task or preset, or a value that does not fit its type.
    """
    schema = settings_schema(model)
    if schema is None:
        return
    own, chosen = parted(schema, task, layers)
    resolve(TASKS.get(task).Options, *chosen)
    resolve(schema, *own)
    for layer in own:
        refuse_preset(model, str(layer.get("preset", "")))


def _only(layers: Layers, names: Sequence[str]) -> list[Layer]:
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
