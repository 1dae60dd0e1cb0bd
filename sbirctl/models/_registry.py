"""Where models are registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.models._base import Model

MODELS: Registry[type[Model]] = Registry("model", "sbirctl.models", group="sbirctl.models")
