"""Where losses are registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.losses._loss import Loss

LOSSES: Registry[type[Loss]] = Registry(
    "loss",
    "sbirctl.losses",
    group="sbirctl.losses",
    files={
        "contrastive": "_contrastive",
        "domain-triplets": "_domain_triplets",
        "normalised-softmax": "_normalised_softmax",
        "triplet": "_triplet",
    },
)
