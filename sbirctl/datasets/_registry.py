"""Where data sets are registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.datasets._base import Dataset

DATASETS: Registry[type[Dataset]] = Registry(
    "data set", "sbirctl.datasets", group="sbirctl.datasets"
)
