"""Batches of a shuffled pool of sketches and photos, whatever class and modality they are of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sbirctl.core.seeds import rng_for
from sbirctl.sampling.batch import GlobalIndices
from sbirctl.sampling.subsets import Subset


@dataclass(frozen=True)
class PooledPlan:
    """One pass over all images in random order; the last, smaller batch is left out.

    What the authors' code of FFMLN (haizhu12/ammln @ f284a64) trains on: most anchors have no
    positive of the other modality in their batch. Sketches and photos of a batch are of any
    number, so they are dealt out one by one.

    Attributes:
        batch: images of a batch.
    """

    batch: int = 64

    def length(self, subset: Subset) -> int:
        """See `BatchPlan.length`."""
        return (len(subset.photo) + len(subset.sketch)) // self.batch

    def batches(self, subset: Subset, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """See `BatchPlan.batches`."""
        photos = len(subset.photo)
        order = rng_for(seed, "pooled", epoch).permutation(photos + len(subset.sketch))
        for start in range(0, self.length(subset) * self.batch, self.batch):
            chosen = order[start : start + self.batch].astype(np.int64)
            is_photo = chosen < photos
            yield GlobalIndices(chosen[is_photo], chosen[~is_photo] - photos, None, 0)
