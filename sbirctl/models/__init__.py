"""The model registry: one file a paper, found by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.models.base import Model

MODELS: Registry[type[Model]] = Registry(
    "model",
    "sbirctl.models",
    plumbing=(
        "amff",
        "attention",
        "backbones",
        "base",
        "branches",
        "cards",
        "co_attention",
        "conditioned_se",
        "download",
        "embedding_networks",
        "factory",
        "joining",
        "network_choice",
        "parameters",
        "prompted_clip",
        "weights",
    ),
    group="sbirctl.models",
)
