"""Data sets (one file each), tasks, batch plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.datasets.source import Dataset

DATASETS: Registry[type[Dataset]] = Registry(
    "data set",
    "sbirctl.datasets",
    plumbing=("archive", "batch", "parts", "plans", "pooled", "source", "tasks", "tree"),
    group="sbirctl.datasets",
)
