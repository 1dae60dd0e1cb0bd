"""Batch plans for anybody's loop: a sampler as PyTorch's DataLoader takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sbirctl.core.errors import MismatchError
from sbirctl.sampling.plans import BatchPlan


@dataclass(frozen=True)
class _Side:
    label: np.ndarray
    category: np.ndarray

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class _Images:
    photo: _Side
    sketch: _Side
    classes: tuple[str, ...]


class PlanSampler:
    """Batches of a plan as positions in one's own data: `DataLoader(data, batch_sampler=…)`.

    Every pass draws the next epoch; `set_epoch` chooses one. Equal seeds and epochs give equal
    batches.

    Args:
        plan: how batches are drawn, such as `BalancedPlan(batch=64, per_class=8)`.
        labels: (n,) whole numbers from 0 or names, the class of each item.
        is_sketch: (n,) bool, which items are sketches; the others are photos.
        seed: of the draws.
        categories: (n,) whole numbers, for plans with `same_category`.

    Raises:
        MismatchError: the arrays do not fit, or fewer than two classes have photos and sketches.
    """

    def __init__(
        self,
        plan: BatchPlan,
        labels: ArrayLike,
        is_sketch: ArrayLike,
        *,
        seed: int = 0,
        categories: ArrayLike | None = None,
    ) -> None:
        names, label = np.unique(np.asarray(labels), return_inverse=True)
        sketch = np.asarray(is_sketch, dtype=bool)
        wide = np.zeros(len(label)) if categories is None else np.asarray(categories)
        if not label.shape == sketch.shape == wide.shape or label.ndim != 1:
            raise MismatchError(
                f"labels, is_sketch and categories have {label.shape}, {sketch.shape} and "
                f"{wide.shape} values.",
                "Give one of each an item.",
            )
        self._plan, self._seed, self._epoch = plan, seed, 0
        self._photo, self._sketch = np.flatnonzero(~sketch), np.flatnonzero(sketch)
        photo, sketches = (
            _Side(label[rows].astype(np.int64), wide[rows].astype(np.int64))
            for rows in (self._photo, self._sketch)
        )
        self._images = _Images(photo, sketches, tuple(str(name) for name in names))
        next(plan.batches(self._images, 0, seed), None)

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next pass draws, as for PyTorch's DistributedSampler."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._plan.length(self._images)

    def __iter__(self) -> Iterator[list[int]]:
        """Positions of each batch: first its photos, then its sketches, each in the plan's order.

        With `PairPlan` and `QuadrupletPlan` the photos are positive, negative, positive, …
        """
        epoch, self._epoch = self._epoch, self._epoch + 1
        for drawn in self._plan.batches(self._images, epoch, self._seed):
            both = (self._photo[drawn.photo], self._sketch[drawn.sketch])
            yield np.concatenate(both).tolist()
