"""Batch plans: which sketches and photos make a batch, drawn from (seed, epoch) alone.

A batch is drawn for all processes together; `rows_for` deals it out by whole tuples or classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from sbirctl.core.errors import UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.sampling._draws import Positions, Tuples, anchors, positions, stream, usable_classes
from sbirctl.sampling.batch import GlobalIndices
from sbirctl.sampling.subsets import Subset


class BatchPlan(Protocol):
    """How the batches of an epoch are drawn."""

    def length(self, subset: Subset) -> int:
        """Number of batches of one epoch."""

    def batches(self, subset: Subset, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """The batches of one epoch; equal arguments give equal batches."""


def rows_for(indices: GlobalIndices, rank: int, world: int) -> tuple[slice, slice]:
    """The rows of a batch's photos and of its sketches that one process gets.

    They are whole chunks, consecutive, their numbers differing by one at most; put together by
    rank they are the batch. A batch of fewer chunks than processes leaves some with nothing.

    Args:
        rank: number of the process, 0 to world - 1.
        world: number of processes.
    """

    def rows(count: int) -> slice:
        chunks = indices.chunks or count
        size = count // max(1, chunks)
        first, last = (chunks * r // world for r in (rank, rank + 1))
        return slice(first * size, last * size)

    return rows(len(indices.photo)), rows(len(indices.sketch))


@dataclass(frozen=True)
class BalancedPlan:
    """Class-balanced batches: the same number of sketches and photos of every class in it.

    Classes are drawn uniformly, without repeats until all have come; so are the images of a class,
    repeated only where it has fewer than are wanted. A subset with fewer classes than a batch holds
    gets more images of each. `tuples` is None; a chunk is a class.

    Attributes:
        batch: images of a batch, half of them sketches.
        per_class: images a class, half of them sketches.
        epoch: "images": ceil(images / batch) batches (FFMLN); "sketches": as many as one pass over
            the sketches takes.
    """

    batch: int = 64
    per_class: int = 8
    epoch: Literal["images", "sketches"] = "images"

    def __post_init__(self) -> None:
        if self.per_class < 2 or self.per_class % 2:
            raise UsageError(f"per_class={self.per_class} cannot be halved.", "Take 2, 4, 8, ….")
        if self.batch < 2 * self.per_class:
            raise UsageError(
                f"batch={self.batch} holds fewer than two classes of {self.per_class} images.",
                f"Take a batch of {2 * self.per_class} or more, or a smaller per_class.",
            )

    def length(self, subset: Subset) -> int:
        """See `BatchPlan.length`."""
        if self.epoch == "sketches":
            return -(-len(subset.sketch) * 2 // self.batch)
        return -(-(len(subset.sketch) + len(subset.photo)) // self.batch)

    def batches(self, subset: Subset, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """See `BatchPlan.batches`."""
        photos, sketches = positions(subset)
        usable = usable_classes(subset, photos, sketches)
        rng = rng_for(seed, "balanced", epoch)
        slots = min(self.batch // self.per_class, len(usable))
        each = self.batch // (2 * slots)
        length = self.length(subset)
        schedule = usable[stream(rng, len(usable), length * slots, slots)]
        photo = _fill(rng, photos, schedule, each).reshape(length, slots * each)
        sketch = _fill(rng, sketches, schedule, each).reshape(length, slots * each)
        for p, s in zip(photo, sketch, strict=True):
            yield GlobalIndices(p, s, None, slots)


@dataclass(frozen=True)
class PairPlan:
    """Semi3-Net: every sketch with one photo of its class and one of another (1:1).

    An epoch is one pass over the sketches. Of n sketches the batch holds 2 n photos: positive,
    negative, positive, …; `tuples` are (s, p+, p-). A chunk is a tuple.

    Attributes:
        batch: sketches of a batch.
        last: whether the last, smaller batch is kept.
        same_category: draw the other class within the category (for `fg`).
    """

    batch: int = 32
    last: bool = True
    same_category: bool = False

    def length(self, subset: Subset) -> int:
        """See `BatchPlan.length`."""
        return _length(subset, self.batch, self.last)

    def batches(self, subset: Subset, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """See `BatchPlan.batches`."""
        rng = rng_for(seed, "pairs", epoch)
        tuples = Tuples.draw(rng, subset, self.same_category)
        for at in _pieces(len(tuples.anchor), self.batch, self.last):
            photo = np.stack([tuples.positive[at], tuples.negative[at]], axis=1).reshape(-1)
            n = np.arange(len(photo) // 2)
            yield GlobalIndices(
                photo, tuples.anchor[at], np.stack([n, 2 * n, 2 * n + 1], axis=1), len(n)
            )


@dataclass(frozen=True)
class QuadrupletPlan:
    """Dr. CLIP: every anchor sketch with a photo of its class and, from one other class drawn
    uniformly, a photo and a sketch.

    An epoch is one pass over the sketches as anchors. A batch of n quadruplets holds 2 n photos
    (positive, negative, …) and 2 n sketches (anchor, negative, …); `tuples` are (s, p+, p-, s-). A
    chunk is a quadruplet.

    Attributes:
        batch: quadruplets of a batch.
        last: whether the last, smaller batch is kept.
        same_category: draw the other class within the category (for `fg`: another instance).
        released: draw the other class as the authors' code (x-28/CDUF) does: an index into the
            list without the anchor's class is looked up in the full list, so that the negative
            can be of the anchor's class and is never of the last one.
        negative_sketch: false for a loss that takes photos alone as negatives: a batch of n
            tuples (s, p+, p-) holds the n anchors alone.
    """

    batch: int = 64
    last: bool = True
    same_category: bool = False
    released: bool = False
    negative_sketch: bool = True

    def length(self, subset: Subset) -> int:
        """See `BatchPlan.length`."""
        return _length(subset, self.batch, self.last)

    def batches(self, subset: Subset, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """See `BatchPlan.batches`."""
        rng = rng_for(seed, "quadruplets", epoch)
        tuples = Tuples.draw(rng, subset, self.same_category, self.released)
        against = positions(subset)[1].draw(rng, tuples.other)
        for at in _pieces(len(tuples.anchor), self.batch, self.last):
            photo = np.stack([tuples.positive[at], tuples.negative[at]], axis=1).reshape(-1)
            n = np.arange(len(photo) // 2)
            sketch, rows = tuples.anchor[at], [n, 2 * n, 2 * n + 1]
            if self.negative_sketch:
                sketch = np.stack([sketch, against[at]], axis=1).reshape(-1)
                rows = [2 * n, 2 * n, 2 * n + 1, 2 * n + 1]
            yield GlobalIndices(photo, sketch, np.stack(rows, axis=1), len(n))


def _fill(rng: np.random.Generator, side: Positions, schedule: np.ndarray, each: int) -> np.ndarray:
    """(len(schedule), each) int64: images for every slot of a schedule of classes."""
    result = np.empty((len(schedule), each), dtype=np.int64)
    slots = Positions.of(schedule, len(side.count))
    for label in np.flatnonzero(slots.count):
        own = side.of_class(label)
        at = slots.of_class(label)
        drawn = stream(rng, len(own), len(at) * each, each)
        result[at] = own[drawn].reshape(len(at), each)
    return result


def _length(subset: Subset, batch: int, last: bool) -> int:
    count = len(anchors(subset, positions(subset)[0]))
    return -(-count // batch) if last else count // batch


def _pieces(count: int, batch: int, last: bool) -> Iterator[slice]:
    stop = count if last else count - count % batch
    for start in range(0, stop, batch):
        yield slice(start, min(start + batch, stop))
