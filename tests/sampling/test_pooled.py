"""Batches of a shuffled pool."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sbirctl.sampling.plans import PooledPlan
from sbirctl.sampling.subsets import ImageSubset, Subset


def part(photos: int, sketches: int) -> Subset:
    def side(n: int) -> ImageSubset:
        return ImageSubset(None, "photo", np.arange(n), np.zeros(n, int), np.full(n, -1))  # type: ignore[arg-type]

    return Subset(side(photos), side(sketches), ("one",), np.zeros(1, bool))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 9), st.integers(0, 3))
def test_every_image_comes_at_most_once_in_full_batches(
    photos: int, sketches: int, batch: int, epoch: int
) -> None:
    plan, given = PooledPlan(batch), part(photos, sketches)
    drawn = list(plan.batches(given, epoch, 1))
    assert len(drawn) == plan.length(given) == (photos + sketches) // batch
    assert all(len(b.photo) + len(b.sketch) == batch and b.chunks == 0 for b in drawn)
    for name, size in (("photo", photos), ("sketch", sketches)):
        seen = [int(i) for b in drawn for i in getattr(b, name)]
        assert len(seen) == len(set(seen))
        assert set(seen) <= set(range(size))


def test_epochs_differ_and_repeat_with_their_seed() -> None:
    plan, given = PooledPlan(8), part(20, 20)

    def draw(epoch: int, seed: int) -> list[list[int]]:
        return [b.photo.tolist() for b in plan.batches(given, epoch, seed)]

    assert draw(0, 0) == draw(0, 0)
    assert draw(0, 0) != draw(1, 0)
    assert draw(0, 0) != draw(0, 1)
