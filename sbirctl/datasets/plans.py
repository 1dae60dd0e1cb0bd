"""Batch plans: which sketches and photos make a batch, drawn from (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sbirctl.datasets.batch import GlobalIndices
from sbirctl.datasets.parts import Part


class BatchPlan(Protocol):
    """How the batches of an epoch are drawn."""

    def length(self, part: Part) -> int:
        """Number of batches of one epoch."""

    def batches(self, part: Part, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """The batches of one epoch; equal arguments give equal batches."""
