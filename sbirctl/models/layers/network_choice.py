"""Which embedding network FFMLN's settings ask for, over which backbone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sbirctl.core.errors import UsageError
from sbirctl.models.layers.backbones import build
from sbirctl.models.layers.embedding_networks import (
    BACKBONES,
    AttentionNetwork,
    ConditionedNetwork,
    EmbeddingNetwork,
    EnergyNetwork,
    WholeNetwork,
)

if TYPE_CHECKING:
    from sbirctl.models.ffmln import FfmlnSettings

DEFAULT = "resnet50"


def choose_network(settings: FfmlnSettings) -> EmbeddingNetwork:
    """The network with random values.

    `backbone=auto` is ResNet-50, or the one the network is named after.

    Raises:
        UsageError: an unknown backbone, one the network cannot stand on, or a stage it has not.
    """
    name, size = settings.network, settings.size
    backbone = settings.backbone
    if backbone.name == "auto":
        backbone = replace(backbone, name=BACKBONES.get(name, DEFAULT))
    if name == "vgg16" and not backbone.name.startswith("vgg"):
        raise UsageError(
            f"network=vgg16 does not stand on {backbone.name}.", "Leave the backbone out."
        )
    built = build(backbone, freeze_bn=settings.freeze_bn)
    if name == "amff":
        return AttentionNetwork(
            built,
            size,
            settings.stages,
            width=settings.width,
            depth=settings.depth,
            heads=settings.heads,
            patch=settings.patch,
        )
    if name == "egff":
        return EnergyNetwork(built, size, settings.stages, guided=settings.energy_guide)
    plain = {"vgg16": WholeNetwork, "cse-resnet50": ConditionedNetwork}
    return plain.get(name, EmbeddingNetwork)(built, size)
