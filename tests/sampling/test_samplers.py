"""Plans as samplers of one's own data, without a store."""

import numpy as np
import pytest
from torch.utils.data import DataLoader

from sbirctl.core.errors import MismatchError
from sbirctl.sampling import BalancedPlan, PairPlan, PlanSampler, PooledPlan, QuadrupletPlan

NAMES = np.array(["owl", "ant", "bee", "cat"])
LABEL = np.arange(60) % 4
SKETCH = np.arange(60) % 3 == 0


def test_balanced_batches_hold_the_same_number_of_both_kinds_of_every_class():
    sampler = PlanSampler(BalancedPlan(batch=16, per_class=8), NAMES[LABEL], SKETCH, seed=3)
    passes = [list(sampler), list(sampler)]
    assert len(passes[0]) == len(sampler) == 4
    assert passes[0] != passes[1]
    sampler.set_epoch(0)
    assert list(sampler) == passes[0]
    for batch in passes[0]:
        assert SKETCH[batch].tolist() == [False] * 8 + [True] * 8
        for side in (batch[:8], batch[8:]):
            values, counts = np.unique(LABEL[side], return_counts=True)
            assert len(values) == 2
            assert counts.tolist() == [4, 4]
        assert set(LABEL[batch[:8]]) == set(LABEL[batch[8:]])


def test_tuples_stand_as_the_plans_say():
    for batch in PlanSampler(PairPlan(batch=5), LABEL, SKETCH):
        photos, sketches = LABEL[batch[: 2 * len(batch) // 3]], LABEL[batch[2 * len(batch) // 3 :]]
        assert (photos[0::2] == sketches).all()
        assert (photos[1::2] != sketches).all()
    seen = []
    for batch in PlanSampler(QuadrupletPlan(batch=5), LABEL, SKETCH):
        photos, sketches = np.split(LABEL[batch], 2)
        assert (photos[0::2] == sketches[0::2]).all()
        assert (photos[1::2] == sketches[1::2]).all()
        assert (photos[0::2] != photos[1::2]).all()
        seen += np.array(batch)[len(batch) // 2 :: 2].tolist()
    assert sorted(seen) == np.flatnonzero(SKETCH).tolist()


def test_other_classes_can_be_drawn_within_a_category():
    category = np.array([0, 0, 1, 1])[LABEL]
    plan = PairPlan(batch=4, same_category=True)
    for batch in PlanSampler(plan, LABEL, SKETCH, categories=category):
        photos = np.array(batch[: 2 * len(batch) // 3])
        assert (category[photos[0::2]] == category[photos[1::2]]).all()


def test_a_loader_of_torch_takes_it():
    sampler = PlanSampler(PooledPlan(batch=7), LABEL, SKETCH)
    loaded = DataLoader(LABEL.tolist(), batch_sampler=sampler)
    assert [len(batch) for batch in loaded] == [7] * 8


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(MismatchError, match="one of each"):
        PlanSampler(PooledPlan(batch=7), LABEL, SKETCH[:9])
    with pytest.raises(MismatchError, match="1 of 4 classes"):
        PlanSampler(BalancedPlan(16, 4), LABEL, (LABEL == 0) & SKETCH)
