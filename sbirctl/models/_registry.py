"""Where models are registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.kept import kept
from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.models._base import Model

MODELS: Registry[type[Model]] = Registry("model", "sbirctl.models", group="sbirctl.models")


def is_trainable(name: str) -> bool:
    """Whether a model of a known name is trained, or embeds as it comes."""
    if not MODELS.is_own(name):
        return MODELS.get(name).trainable
    return bool(kept(f"trainable-{name}", lambda: MODELS.get(name).trainable))
