"""Batch plans: which sketches and photos make a batch, drawn from (seed, epoch) alone.

A batch is drawn for all processes together and dealt out (`GlobalIndices.rows_for`). Here are plans
that draw images of classes, or of no class; those that draw tuples are in `tuple_plans`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.sampling.global_batch import GlobalIndices
from sbirctl.sampling.subsets import Labelled


class BatchPlan(Protocol):
    """How the batches of an epoch are drawn."""

    def length(self, subset: Labelled) -> int:
        """Number of batches of one epoch."""

    def batches(self, subset: Labelled, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """The batches of one epoch; equal arguments give equal batches."""


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

    def length(self, subset: Labelled) -> int:
        """See `BatchPlan.length`."""
        if self.epoch == "sketches":
            return -(-len(subset.sketch) * 2 // self.batch)
        return -(-(len(subset.sketch) + len(subset.photo)) // self.batch)

    def batches(self, subset: Labelled, epoch: int, seed: int) -> Iterator[GlobalIndices]:
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
class PooledPlan:
    """One pass over all images in random order; the last, smaller batch is left out.

    What the authors' code of FFMLN (haizhu12/ammln @ f284a64) trains on: most anchors have no
    positive of the other modality in their batch. Sketches and photos of a batch are of any
    number, so they are dealt out one by one.

    Attributes:
        batch: images of a batch.
    """

    batch: int = 64

    def length(self, subset: Labelled) -> int:
        """See `BatchPlan.length`."""
        return (len(subset.photo) + len(subset.sketch)) // self.batch

    def batches(self, subset: Labelled, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """See `BatchPlan.batches`."""
        photos = len(subset.photo)
        order = rng_for(seed, "pooled", epoch).permutation(photos + len(subset.sketch))
        for start in range(0, self.length(subset) * self.batch, self.batch):
            chosen = order[start : start + self.batch].astype(np.int64)
            is_photo = chosen < photos
            yield GlobalIndices(chosen[is_photo], chosen[~is_photo] - photos, None, 0)


@dataclass(frozen=True)
class Positions:
    """Positions of one side's images, sorted by class.

    Attributes:
        order: (n,) int64 positions, class after class.
        start, count: (classes,) int64, where a class begins in `order` and how many it has.
    """

    order: np.ndarray
    start: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, classes: int) -> Positions:
        """From the labels of a side."""
        count = np.bincount(labels, minlength=classes).astype(np.int64)
        return cls(np.argsort(labels, kind="stable"), np.cumsum(count) - count, count)

    def draw(self, rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
        """One position a label, uniform among the class's images."""
        within = (rng.random(len(labels)) * self.count[labels]).astype(np.int64)
        place = self.start[labels] + np.minimum(within, self.count[labels] - 1)
        drawn: np.ndarray = self.order[place]
        return drawn

    def of_class(self, label: int | np.integer) -> np.ndarray:
        """All positions of a class."""
        return self.order[self.start[label] : self.start[label] + self.count[label]]


def positions(subset: Labelled) -> tuple[Positions, Positions]:
    """Photos and sketches of a subset, by class."""
    classes = len(subset.classes)
    return Positions.of(subset.photo.label, classes), Positions.of(subset.sketch.label, classes)


def usable_classes(subset: Labelled, photos: Positions, sketches: Positions) -> np.ndarray:
    """(k,) int64: classes with photos and sketches.

    Raises:
        MismatchError: there are fewer than two.
    """
    usable = np.flatnonzero((photos.count > 0) & (sketches.count > 0))
    if len(usable) < 2:
        raise MismatchError(
            f"{len(usable)} of {len(subset.classes)} classes have photos and sketches, not two.",
            "Add data, or choose a split that leaves more classes seen.",
        )
    return usable


def stream(rng: np.random.Generator, n: int, length: int, block: int) -> np.ndarray:
    """(length,) int64 of 0..n-1: shuffled passes over all n, one after the other.

    Every value comes floor or ceil(length / n) times, and where n >= block no block (consecutive
    pieces of that length) holds a value twice, also where it spans two passes.
    """
    drawn = np.empty(0, dtype=np.int64)
    passes = []
    filled = 0
    while filled < length:
        order = rng.permutation(n)
        begun = filled % block
        if begun and n >= block:
            fresh = order[~np.isin(order, drawn[len(drawn) - begun :])][: block - begun]
            order = np.concatenate([fresh, order[~np.isin(order, fresh)]])
        drawn = order
        passes.append(order)
        filled += n
    return np.concatenate(passes)[:length] if passes else drawn


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
