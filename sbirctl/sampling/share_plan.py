"""Batches with so many sketches and so many photos, of any class (SAKE)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.sampling.global_batch import GlobalIndices
from sbirctl.sampling.subsets import Labelled


@dataclass(frozen=True)
class SharePlan:
    """Sketches and photos shuffled apart and dealt in fixed numbers, until one side is through.

    The last batch may hold fewer of a side. `tuples` is None; images are dealt one by one.

    Attributes:
        sketches, photos: of a batch.
    """

    sketches: int
    photos: int

    def __post_init__(self) -> None:
        if self.sketches < 1 or self.photos < 1:
            raise UsageError(
                f"A batch of {self.sketches} sketches and {self.photos} photos lacks a side.",
                "Take a larger batch, or another sketch_share.",
            )

    def length(self, subset: Labelled) -> int:
        """See `BatchPlan.length`."""
        return min(-(-len(subset.sketch) // self.sketches), -(-len(subset.photo) // self.photos))

    def batches(self, subset: Labelled, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """See `BatchPlan.batches`."""
        rng = rng_for(seed, "shares", epoch)
        sketch = rng.permutation(len(subset.sketch)).astype(np.int64)
        photo = rng.permutation(len(subset.photo)).astype(np.int64)
        for i in range(self.length(subset)):
            photos = photo[i * self.photos : (i + 1) * self.photos]
            yield GlobalIndices(
                photos, sketch[i * self.sketches : (i + 1) * self.sketches], None, 0
            )
