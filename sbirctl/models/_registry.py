"""Where models are registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sbirctl.core.config import Layer
from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.models._base import Model

MODELS: Registry[type[Model]] = Registry("model", "sbirctl.models", group="sbirctl.models")


def settings_schema(name: str) -> type | None:
    """The settings of a model of a known name, for `core.config`, without importing it.

    Of a model that is imported, its own class; else one like it, rebuilt from its source by
    `core.settings_source`, None where the source says nothing.
    """
    from sbirctl.core.settings_source import schema_of

    model = MODELS.loaded().get(name)
    return model.Settings if model else schema_of(MODELS.module_of(name), "Settings")


def is_trainable(name: str) -> bool:
    """Whether a model of a known name is trained, or embeds as it comes; ours are not imported."""
    from sbirctl.core.settings_source import literal_of

    if not MODELS.is_own(name):
        return MODELS.get(name).trainable
    return literal_of(MODELS.module_of(name), "trainable") is not False


def reads_edges(name: str, layers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether settings of a known model are sure to make it read edge maps, told without torch.

    False also where only the model itself can say, as with a preset.

    Args:
        layers: settings of rising precedence, as `core.config` reads them.
    """
    from sbirctl.core.config import resolve
    from sbirctl.core.settings_source import literal_of

    schema, model = settings_schema(name), MODELS.loaded().get(name)
    module = MODELS.module_of(name)
    key = model.edges_setting if model else literal_of(module, "edges_setting")
    if schema is None or not isinstance(key, str) or not key:
        return False
    chosen: Layer = {}
    for layer in layers:
        chosen |= {known: layer[known] for known in (key, "preset") if known in layer}
    if key not in chosen and chosen.get("preset", "none") not in ("", "none"):
        return False
    return bool(getattr(resolve(schema, {k: v for k, v in chosen.items() if k == key}), key))
