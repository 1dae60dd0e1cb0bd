"""Batch plans against their definitions."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.sampling.global_batch import GlobalIndices
from sbirctl.sampling.plans import BalancedPlan, stream
from sbirctl.sampling.subsets import ImageSubset, Subset
from sbirctl.sampling.tuple_plans import Others, PairPlan, QuadrupletPlan


def make_part(photos, sketches, categories=None):
    """A part whose class i has photos[i] photos and sketches[i] sketches, shuffled."""
    rng = np.random.default_rng(1)

    def side(modality, counts):
        label = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        of = np.asarray(categories if categories is not None else np.zeros(len(counts), int))
        store = SimpleNamespace(items=SimpleNamespace(label=of[label]))
        return ImageSubset(store, modality, np.arange(len(label)), label, np.full(len(label), -1))

    names = tuple(f"c{i}" for i in range(len(photos)))
    seen = np.ones(len(photos), bool)
    return Subset(side("photo", photos), side("sketch", sketches), names, seen)


counts = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=8)
PLANS = [
    BalancedPlan(batch=12, per_class=4),
    BalancedPlan(batch=8, per_class=2, epoch="sketches"),
    PairPlan(batch=5),
    PairPlan(batch=4, last=False),
    QuadrupletPlan(batch=5),
    QuadrupletPlan(batch=3, last=False),
    QuadrupletPlan(batch=3, negative_sketch=False),
    QuadrupletPlan(batch=6, negative_sketch=False, per_category=3),
]


@settings(max_examples=40)
@given(counts, st.sampled_from(PLANS), st.integers(0, 5))
def test_equal_arguments_give_equal_batches_of_the_promised_number(numbers, plan, epoch):
    part = make_part(*zip(*numbers, strict=True))
    one, two = (list(plan.batches(part, epoch, 3)) for _ in range(2))
    assert len(one) == plan.length(part)
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.photo, b.photo)
        assert np.array_equal(a.sketch, b.sketch)
        assert a.chunks == b.chunks


@pytest.mark.parametrize("plan", PLANS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("change", [(1, 0), (0, 1)])
def test_another_epoch_or_seed_gives_other_batches(plan, change):
    part = make_part([9] * 6, [9] * 6)
    one = np.concatenate([b.sketch for b in plan.batches(part, 0, 0)])
    two = np.concatenate([b.sketch for b in plan.batches(part, *change)])
    assert not np.array_equal(one, two)


@settings(max_examples=40)
@given(counts, st.sampled_from([(4, 2), (12, 4), (16, 8), (30, 6)]))
def test_balanced_batches_hold_each_class_equally_often_in_both_modalities(numbers, sizes):
    batch, per_class = sizes
    part = make_part(*zip(*numbers, strict=True))
    slots = min(batch // per_class, len(numbers))
    each = batch // (2 * slots)
    for b in BalancedPlan(batch=batch, per_class=per_class).batches(part, 0, 0):
        photo, sketch = part.photo.label[b.photo], part.sketch.label[b.sketch]
        assert np.array_equal(photo, sketch)
        labels, number = np.unique(photo, return_counts=True)
        assert len(labels) == slots == b.chunks
        assert set(number) == {each}
        for label in labels:  # no repeats where the class has enough
            own = b.photo[photo == label]
            assert len(np.unique(own)) == min(each, numbers[label][0]) or numbers[label][0] < each


def test_balanced_epochs_are_fair_to_classes_and_cover_them():
    part = make_part([8] * 10, [8] * 10)
    batches = list(BalancedPlan(batch=16, per_class=4).batches(part, 0, 0))
    assert len(batches) == 10  # 160 images
    photos = np.concatenate([b.photo for b in batches])
    assert np.array_equal(np.sort(photos), np.arange(80))  # every image once
    assert np.array_equal(np.sort(np.concatenate([b.sketch for b in batches])), np.arange(80))


def test_balanced_classes_are_uniform_however_many_images_they_have():
    part = make_part([100, 2, 2, 2, 2, 2], [50, 3, 3, 3, 3, 3])
    drawn = np.concatenate([b.sketch for b in BalancedPlan(8, 2).batches(part, 0, 0)])
    number = np.bincount(part.sketch.label[drawn])
    assert number.max() - number.min() <= 1


def test_one_pass_over_the_sketches_is_half_a_batch_a_step():
    part = make_part([50] * 4, [10] * 4)
    assert BalancedPlan(16, 4, epoch="sketches").length(part) == 5
    assert BalancedPlan(16, 4).length(part) == 15


@pytest.mark.parametrize("batch, per_class", [(16, 3), (16, 0), (8, 8), (2, 2)])
def test_impossible_balanced_batches_are_refused(batch, per_class):
    with pytest.raises(UsageError):
        BalancedPlan(batch, per_class)


@settings(max_examples=40)
@given(counts, st.integers(1, 7))
def test_pairs_are_of_the_anchors_class_and_of_another(numbers, batch):
    part = make_part(*zip(*numbers, strict=True))
    anchors = []
    for b in PairPlan(batch).batches(part, 0, 0):
        s, p, n = b.tuples.T
        label = part.sketch.label[b.sketch[s]]
        assert np.array_equal(part.photo.label[b.photo[p]], label)
        assert (part.photo.label[b.photo[n]] != label).all()
        assert len(b.photo) == 2 * len(b.sketch)
        assert b.chunks == len(b.sketch)
        anchors.append(b.sketch[s])
    assert np.array_equal(np.sort(np.concatenate(anchors)), np.arange(len(part.sketch)))


@settings(max_examples=40)
@given(counts, st.integers(1, 7))
def test_quadruplets_have_both_negatives_from_one_other_class(numbers, batch):
    part = make_part(*zip(*numbers, strict=True))
    anchors = []
    for b in QuadrupletPlan(batch).batches(part, 0, 0):
        s, p, n, sn = b.tuples.T
        label = part.sketch.label[b.sketch[s]]
        assert np.array_equal(part.photo.label[b.photo[p]], label)
        other = part.photo.label[b.photo[n]]
        assert np.array_equal(part.sketch.label[b.sketch[sn]], other)
        assert (other != label).all()
        anchors.append(b.sketch[s])
    assert np.array_equal(np.sort(np.concatenate(anchors)), np.arange(len(part.sketch)))


def test_without_negative_sketches_the_anchors_and_photos_are_the_same_ones():
    part = make_part([5] * 4, [6] * 4)
    plans = QuadrupletPlan(7), QuadrupletPlan(7, negative_sketch=False)
    for four, three in zip(*(plan.batches(part, 2, 3) for plan in plans), strict=True):
        assert three.tuples.shape == (len(four.tuples), 3)
        assert np.array_equal(np.sort(three.tuples[:, 0]), np.arange(len(three.sketch)))
        assert np.array_equal(three.sketch[three.tuples[:, 0]], four.sketch[four.tuples[:, 0]])
        for column in (1, 2):
            own = three.photo[three.tuples[:, column]]
            assert np.array_equal(own, four.photo[four.tuples[:, column]])


def test_the_released_sampler_takes_any_class_but_the_last():
    part = make_part([3] * 4, [200] * 4)
    pairs = set()
    for b in QuadrupletPlan(100, released=True).batches(part, 0, 0):
        anchor, _, negative, other = b.tuples.T
        label = part.photo.label[b.photo[negative]]
        assert (part.sketch.label[b.sketch[other]] == label).all()
        pairs |= set(zip(part.sketch.label[b.sketch[anchor]], label, strict=True))
    assert pairs == {(a, n) for a in range(4) for n in range(3)}


def test_every_photo_of_a_class_comes_as_positive_and_as_negative_about_as_often():
    part = make_part([4, 4], [2000, 2000])
    for column in (1, 2):
        drawn = [b.photo[b.tuples[:, column]] for b in PairPlan(100).batches(part, 0, 0)]
        number = np.bincount(np.concatenate(drawn), minlength=8)
        assert number.min() > 400
        assert number.max() < 600


def test_negatives_are_uniform_over_the_other_classes():
    part = make_part([40, 1, 1, 1], [3000, 1, 1, 1])
    drawn = np.concatenate(
        [part.photo.label[b.photo[b.tuples[:, 2]]] for b in PairPlan(100).batches(part, 0, 0)]
    )
    number = np.bincount(drawn, minlength=4)[1:]
    assert number.min() > 900
    assert number.sum() >= 3000


def test_the_last_smaller_batch_is_kept_or_dropped():
    part = make_part([3] * 4, [3] * 4)  # 12 sketches
    assert [len(b.sketch) for b in PairPlan(5).batches(part, 0, 0)] == [5, 5, 2]
    assert [len(b.sketch) for b in PairPlan(5, last=False).batches(part, 0, 0)] == [5, 5]


def test_the_other_instance_is_of_the_same_category_where_there_is_one():
    category = np.array([0, 0, 0, 1, 1, 2])
    part = make_part([2] * 6, [20] * 6, category)
    for b in QuadrupletPlan(16, same_category=True).batches(part, 0, 0):
        anchor = part.sketch.label[b.sketch[b.tuples[:, 0]]]
        other = part.photo.label[b.photo[b.tuples[:, 2]]]
        assert (anchor != other).all()
        in_group = category[anchor] != 2  # category 2 has one instance only
        assert np.array_equal(category[anchor][in_group], category[other][in_group])


def test_anchors_of_a_category_stand_together_and_none_is_lost():
    category = np.array([0, 0, 1, 1, 2, 2])
    part = make_part([2] * 6, [5, 6, 4, 4, 1, 1], category)  # 11, 8 and 2 sketches
    plan = QuadrupletPlan(6, same_category=True, negative_sketch=False, per_category=3)
    drawn = [b.sketch[b.tuples[:, 0]] for b in plan.batches(part, 0, 0)]
    assert sorted(np.concatenate(drawn)) == list(range(21))
    groups = [category[part.sketch.label[at]].reshape(2, 3) for at in drawn[:2]]
    assert all((group == group[:, :1]).all() for group in groups)
    other = [b.sketch[b.tuples[:, 0]] for b in plan.batches(part, 1, 0)]
    assert not np.array_equal(np.concatenate(drawn), np.concatenate(other))


def test_anchors_without_a_photo_of_their_class_are_left_out():
    part = make_part([2, 0, 2], [3, 3, 3])
    plan = QuadrupletPlan(2)
    drawn = np.concatenate([b.sketch[b.tuples[:, 0]] for b in plan.batches(part, 0, 0)])
    assert set(part.sketch.label[drawn]) == {0, 2}
    assert plan.length(part) == 3


@pytest.mark.parametrize("plan", PLANS, ids=lambda p: type(p).__name__)
def test_one_class_cannot_be_contrasted(plan):
    with pytest.raises(MismatchError, match="1 of 2 classes"):
        list(plan.batches(make_part([4, 0], [4, 4]), 0, 0))


@settings(max_examples=60)
@given(counts, st.sampled_from(PLANS), st.integers(1, 5))
def test_shares_partition_the_batch_and_keep_tuples_and_classes_whole(numbers, plan, world):
    part = make_part(*zip(*numbers, strict=True))
    for b in plan.batches(part, 0, 0):
        rows = [b.rows_for(rank, world) for rank in range(world)]
        assert np.array_equal(np.concatenate([b.photo[p] for p, _ in rows]), b.photo)
        assert np.array_equal(np.concatenate([b.sketch[s] for _, s in rows]), b.sketch)
        sizes = [len(b.sketch[s]) * b.chunks // len(b.sketch) for _, s in rows]
        assert sum(sizes) == b.chunks
        assert max(sizes) - min(sizes) <= 1
        if b.tuples is None:
            labels = [set(part.photo.label[b.photo[p]]) for p, _ in rows]
            assert sum(map(len, labels)) == len(set().union(*labels))
            continue
        sides = [1, 0, 0, 1]  # column 0 and, for quadruplets, column 3 are sketches
        for t in b.tuples:
            owners = [
                {c: row[sides[c]].start <= t[c] < row[sides[c]].stop for c in range(len(t))}
                for row in rows
            ]
            assert sum(all(own.values()) for own in owners) == 1


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5))
def test_without_chunks_every_image_is_dealt_by_itself(photos, sketches, world):
    drawn = GlobalIndices(np.arange(photos), np.arange(sketches), None, 0)
    for side, count in ((0, photos), (1, sketches)):
        rows = [drawn.rows_for(rank, world)[side] for rank in range(world)]
        assert [i for r in rows for i in range(r.start, r.stop)] == list(range(count))
        sizes = [r.stop - r.start for r in rows]
        assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 12), st.integers(0, 60), st.integers(1, 8), st.integers(0, 99))
def test_streams_are_fair_and_their_blocks_free_of_repeats(n, length, block, seed):
    drawn = stream(np.random.default_rng(seed), n, length, block)
    assert len(drawn) == length
    number = np.bincount(drawn, minlength=n)
    assert number.max() - number.min() <= 1
    if n >= block:
        for start in range(0, length, block):
            piece = drawn[start : start + block]
            assert len(set(piece)) == len(piece)


def test_others_reach_every_other_class_of_the_category():
    category = np.array([0, 1, 0, 0, 1, 2])
    others = Others(np.array([0, 1, 2, 3, 4, 5]), category)
    rng = np.random.default_rng(0)
    found = {k: set(others.draw(rng, np.full(300, k))) for k in range(6)}
    assert found[0] == {2, 3}
    assert found[4] == {1}
    assert found[5] == {0, 1, 2, 3, 4}


def test_a_second_sketch_may_be_of_the_anchors_own_class():
    part = make_part([3, 4, 5], [4, 5, 6])
    for found in QuadrupletPlan(batch=4, second_sketch="own").batches(part, 0, 0):
        labels = part.sketch.label[found.sketch]
        sketch, photo, other, second = found.tuples.T
        assert (labels[sketch] == labels[second]).all()
        assert (labels[sketch] == part.photo.label[found.photo][photo]).all()
        assert (labels[sketch] != part.photo.label[found.photo][other]).all()
