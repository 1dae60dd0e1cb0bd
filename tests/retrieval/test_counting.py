"""Counted ranks equal those of a plain stable sort, whatever the ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.retrieval.below import WAYS, Buckets, Sorted, quicker
from sbirctl.retrieval.counting import CodeCounter, FloatCounter


def naive(row, order, columns):
    """Ranks and tie counts of the relevant columns, best first, by sorting the whole row."""
    by_place = np.argsort(order)
    ordered = sorted(by_place, key=lambda column: (-row[column], order[column]))
    wanted = range(columns.start, columns.stop)
    rank = [i + 1 for i, column in enumerate(ordered) if column in wanted]
    upto = [int((row >= row[column]).sum()) for column in ordered if column in wanted]
    return rank, upto


def check(counter, rows, order, columns):
    """Compare all rows (one is wrapped) with the plain sort."""
    rows = np.atleast_2d(rows)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        rank, upto = counter(rows, np.sort(rows[:, columns], axis=1), columns)
    for i, row in enumerate(rows):
        expected = naive(row, order, columns)
        assert rank[i].tolist() == expected[0]
        assert upto[i].tolist() == expected[1]


@st.composite
def rows(draw):
    count, size = draw(st.integers(1, 70)), draw(st.integers(1, 80))
    seed = draw(st.integers(0, 2**32 - 1))
    levels = draw(st.sampled_from([1, 2, 5, 30, 10**6]))
    scale = draw(st.sampled_from([1e-42, 1e-30, 1e-6, 1.0, 1e6, 1e37]))
    rng = np.random.default_rng(seed)
    made = (rng.integers(0, levels, (count, size)) - levels // 2) * min(scale, 1e38 / levels)
    made = made.astype(np.float32)
    first = draw(st.integers(0, size - 1))
    last = draw(st.integers(first + 1, size))
    return made, rng.permutation(size), slice(first, last)


both_ways = pytest.mark.parametrize("way", WAYS)


@both_ways
@settings(max_examples=150, deadline=None)
@given(case=rows())
def test_ranks_of_scores_with_any_ties(way, case):
    rows, order, columns = case
    check(FloatCounter(order, rows.dtype, way), rows, order, columns)
    check(FloatCounter(order, np.dtype(np.float64), way), rows.astype(np.float64), order, columns)


def test_the_quicker_way_is_one_of_them():
    assert quicker(100, np.dtype(np.float32)) is Buckets
    assert quicker(5000, np.dtype(np.float32)) in (Sorted, Buckets)


@both_ways
@pytest.mark.parametrize("relevant", [1, 8, 9, 300, 3000])
def test_ranks_of_many_distinct_scores(way, relevant):
    rng = np.random.default_rng(relevant)
    many = rng.standard_normal((40, 3000)).astype(np.float32)
    many[:, :relevant] += 1
    order = rng.permutation(3000)
    columns = slice(3000 - relevant, 3000)
    counter = FloatCounter(order, many.dtype, way)
    rank, upto = counter(many, np.sort(many[:, columns], axis=1), columns)
    for i, row in enumerate(many):
        place = np.empty(3000, dtype=int)
        place[np.argsort(-row, kind="stable")] = np.arange(1, 3001)
        greater = [int((row > value).sum()) for value in np.sort(row[columns])[::-1]]
        assert (upto[i] - 1 >= greater).all()
        if len(np.unique(row)) == len(row):
            assert rank[i].tolist() == sorted(place[columns])
            assert upto[i].tolist() == rank[i].tolist()


@both_ways
def test_a_gallery_full_of_pairs(way):
    """Every photo twice: some pairs within the relevant ones, some across."""
    rng = np.random.default_rng(5)
    row = np.repeat(rng.standard_normal(200).astype(np.float32), 2)
    rng.shuffle(row[:300])
    order = rng.permutation(400)
    check(FloatCounter(order, row.dtype, way), row, order, slice(100, 180))
    check(FloatCounter(order, row.dtype, way), row, order, slice(300, 400))


@both_ways
def test_a_counter_forgets_the_row_before(way):
    rng = np.random.default_rng(6)
    order = np.arange(500)
    counter = FloatCounter(order, np.dtype(np.float32), way)
    for _ in range(5):
        check(counter, rng.standard_normal(500).astype(np.float32), order, slice(20, 90))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 60))
def test_ranks_of_codes(seed, bits, size):
    rng = np.random.default_rng(seed)
    distance = rng.integers(0, bits + 1, (3, size))
    made = (bits - 2 * distance).astype(np.float32)
    order = rng.permutation(size)
    check(CodeCounter(order, bits), made, order, slice(0, rng.integers(1, size + 1)))
