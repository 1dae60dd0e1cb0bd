"""Drawing images of classes: fair streams without repeats, and the classes' positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import MismatchError
from sbirctl.sampling.subsets import Subset


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


class Others:
    """Draws, for each class, another class uniformly.

    Args:
        usable: (k,) int64 classes to draw from.
        category: (classes,) int64; only classes of equal category are drawn, except where a
            category has one class alone: then any other.
    """

    def __init__(self, usable: np.ndarray, category: np.ndarray) -> None:
        own = category[usable]
        self._sorted = usable[np.argsort(own, kind="stable")]
        numbers, start, count = np.unique(np.sort(own), return_index=True, return_counts=True)
        place = np.full(len(category), -1, dtype=np.int64)
        place[self._sorted] = np.arange(len(usable))
        group = np.searchsorted(numbers, category[self._sorted])
        alone = count[group] == 1
        self._place = place
        self._start = np.where(alone, 0, start[group])
        self._count = np.where(alone, len(usable), count[group])

    def draw(self, rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
        """(n,) int64: one other class a label (labels must be usable ones)."""
        place = self._place[labels]
        start, count = self._start[place], self._count[place]
        chosen = start + (rng.random(len(labels)) * (count - 1)).astype(np.int64)
        drawn: np.ndarray = self._sorted[chosen + (chosen >= place)]
        return drawn


def usable_classes(subset: Subset, photos: Positions, sketches: Positions) -> np.ndarray:
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


def categories(subset: Subset, photos: Positions) -> np.ndarray:
    """(classes,) int64: the store's class of each label's photos (`fg` labels are instances)."""
    label = subset.photo.store.items.label[subset.photo.item].astype(np.int64)
    result = np.full(len(subset.classes), -1, dtype=np.int64)
    have = np.flatnonzero(photos.count)
    result[have] = label[photos.order[photos.start[have]]]
    return result


@dataclass(frozen=True)
class Tuples:
    """An epoch of anchors with their photos; all (n,) int64.

    Attributes:
        anchor: positions of sketches, shuffled.
        positive, negative: positions of photos of the anchor's class and of `other`.
        other: the class the negative is of.
    """

    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    other: np.ndarray

    @classmethod
    def draw(
        cls, rng: np.random.Generator, subset: Subset, same_category: bool, released: bool = False
    ) -> Tuples:
        """An epoch of tuples; the arguments are `QuadrupletPlan`'s."""
        photos, sketches = positions(subset)
        usable = usable_classes(subset, photos, sketches)
        anchor = rng.permutation(anchors(subset, photos))
        label = subset.sketch.label[anchor]
        if released:
            other = usable[rng.integers(len(usable) - 1, size=len(label))]
        else:
            category = (
                categories(subset, photos)
                if same_category
                else np.zeros(len(subset.classes), dtype=np.int64)
            )
            other = Others(usable, category).draw(rng, label)
        return cls(anchor, photos.draw(rng, label), photos.draw(rng, other), other)


def positions(subset: Subset) -> tuple[Positions, Positions]:
    """Photos and sketches of a subset, by class."""
    classes = len(subset.classes)
    return Positions.of(subset.photo.label, classes), Positions.of(subset.sketch.label, classes)


def anchors(subset: Subset, photos: Positions) -> np.ndarray:
    """Sketches whose class has a photo."""
    return np.flatnonzero(photos.count[subset.sketch.label] > 0)
