"""Batch plans of tuples: a sketch with photos of its own and of another class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sbirctl.core.errors import UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.sampling.global_batch import GlobalIndices
from sbirctl.sampling.plans import Positions, positions, usable_classes
from sbirctl.sampling.subsets import Labelled


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

    def length(self, subset: Labelled) -> int:
        """See `BatchPlan.length`."""
        return _length(subset, self.batch, self.last)

    def batches(self, subset: Labelled, epoch: int, seed: int) -> Iterator[GlobalIndices]:
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
        per_category: so many anchors of a category stand one after the other (CLIP-AT); those
            that are too few for that come at the end of the epoch. 0: in any order.
        second_sketch: the class of s-: "other", or "own", the anchor's (ZSE-SBIR).
    """

    batch: int = 64
    last: bool = True
    same_category: bool = False
    released: bool = False
    negative_sketch: bool = True
    per_category: int = 0
    second_sketch: Literal["other", "own"] = "other"

    def __post_init__(self) -> None:
        if self.per_category and self.batch % self.per_category:
            raise UsageError(
                f"batch={self.batch} is no multiple of per_category={self.per_category}.",
                f"Take a batch of {self.per_category * max(1, self.batch // self.per_category)}.",
            )

    def length(self, subset: Labelled) -> int:
        """See `BatchPlan.length`."""
        return _length(subset, self.batch, self.last)

    def batches(self, subset: Labelled, epoch: int, seed: int) -> Iterator[GlobalIndices]:
        """See `BatchPlan.batches`."""
        rng = rng_for(seed, "quadruplets", epoch)
        tuples = Tuples.draw(rng, subset, self.same_category, self.released, self.per_category)
        own = self.second_sketch == "own"
        of = subset.sketch.label[tuples.anchor] if own else tuples.other
        against = positions(subset)[1].draw(rng, of)
        for at in _pieces(len(tuples.anchor), self.batch, self.last):
            photo = np.stack([tuples.positive[at], tuples.negative[at]], axis=1).reshape(-1)
            n = np.arange(len(photo) // 2)
            sketch, rows = tuples.anchor[at], [n, 2 * n, 2 * n + 1]
            if self.negative_sketch:
                sketch = np.stack([sketch, against[at]], axis=1).reshape(-1)
                rows = [2 * n, 2 * n, 2 * n + 1, 2 * n + 1]
            yield GlobalIndices(photo, sketch, np.stack(rows, axis=1), len(n))


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
        cls,
        rng: np.random.Generator,
        subset: Labelled,
        same_category: bool,
        released: bool = False,
        per_category: int = 0,
    ) -> Tuples:
        """An epoch of tuples; the arguments are `QuadrupletPlan`'s."""
        photos, sketches = positions(subset)
        usable = usable_classes(subset, photos, sketches)
        anchor = rng.permutation(anchors(subset, photos))
        if per_category:
            own = categories(subset, photos)[subset.sketch.label[anchor]]
            anchor = anchor[together(rng, own, per_category)]
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


def categories(subset: Labelled, photos: Positions) -> np.ndarray:
    """(classes,) int64: the category of each label's photos (`fg` labels are instances)."""
    label = subset.photo.category
    result = np.full(len(subset.classes), -1, dtype=np.int64)
    have = np.flatnonzero(photos.count)
    result[have] = label[photos.order[photos.start[have]]]
    return result


def together(rng: np.random.Generator, category: np.ndarray, each: int) -> np.ndarray:
    """(n,) int64: an order in which `each` of one category follow each other, then the rest."""
    of = np.unique(category, return_inverse=True)[1]
    rows, count = np.argsort(of, kind="stable"), np.bincount(of)
    own = of[rows]
    within = np.arange(len(rows)) - (np.cumsum(count) - count)[own]
    whole = within < (count - count % each)[own]
    groups = rows[whole].reshape(-1, each)
    return np.concatenate([rng.permutation(groups).reshape(-1), rng.permutation(rows[~whole])])


def anchors(subset: Labelled, photos: Positions) -> np.ndarray:
    """Sketches whose class has a photo."""
    return np.flatnonzero(photos.count[subset.sketch.label] > 0)


def _length(subset: Labelled, batch: int, last: bool) -> int:
    count = len(anchors(subset, positions(subset)[0]))
    return -(-count // batch) if last else count // batch


def _pieces(count: int, batch: int, last: bool) -> Iterator[slice]:
    stop = count if last else count - count % batch
    for start in range(0, stop, batch):
        yield slice(start, min(start + batch, stop))
