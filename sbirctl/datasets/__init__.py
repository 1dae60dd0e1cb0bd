"""Data sets, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.datasets.base import Dataset

DATASETS: Registry[type[Dataset]] = Registry(
    "data set",
    "sbirctl.datasets",
    plumbing=("archive", "base", "tree"),
    group="sbirctl.datasets",
)
