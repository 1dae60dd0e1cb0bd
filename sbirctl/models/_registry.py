"""Where models are registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.kept import kept
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
    """Whether a model of a known name is trained, or embeds as it comes."""
    if not MODELS.is_own(name):
        return MODELS.get(name).trainable
    return bool(kept(f"trainable-{name}", lambda: MODELS.get(name).trainable))
