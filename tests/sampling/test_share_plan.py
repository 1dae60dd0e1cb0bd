"""Batches of fixed shares against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from test_plans import make_part

from sbirctl.core.errors import UsageError
from sbirctl.sampling.share_plan import SharePlan


def test_sides_are_dealt_once_until_one_is_through() -> None:
    part = make_part([7, 6], [5, 4])  # 13 photos, 9 sketches
    plan = SharePlan(sketches=2, photos=4)
    found = list(plan.batches(part, 3, 1))
    assert plan.length(part) == len(found) == 4  # of photos; sketches would make 5
    assert [len(b.photo) for b in found] == [4, 4, 4, 1]
    assert [len(b.sketch) for b in found] == [2, 2, 2, 2]
    photos = np.concatenate([b.photo for b in found])
    sketches = np.concatenate([b.sketch for b in found])
    assert sorted(photos) == list(range(13))
    assert len(set(sketches)) == 8
    assert all(b.tuples is None and b.chunks == 0 for b in found)


def test_epochs_differ_and_repeat() -> None:
    part, plan = make_part([9, 9], [9, 9]), SharePlan(3, 3)
    first, again, other = (
        [b.photo.tolist() for b in plan.batches(part, epoch, 1)] for epoch in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_a_side_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="0 sketches and 5 photos"):
        SharePlan(0, 5)
