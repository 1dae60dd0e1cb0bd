"""Counted ranks equal those of a plain stable sort, whatever the ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.retrieval.counting import CodeCounter, FloatCounter


def naive(row, order, columns):
    """Ranks and tie counts of the relevant columns, best first, by sorting the whole row."""
    by_place = np.argsort(order)
    ordered = sorted(by_place, key=lambda column: (-row[column], order[column]))
    wanted = range(columns.start, columns.stop)
    rank = [i + 1 for i, column in enumerate(ordered) if column in wanted]
    upto = [int((row >= row[column]).sum()) for column in ordered if column in wanted]
    return rank, upto


def check(counter, row, order, columns):
    rank = np.zeros(columns.stop - columns.start, dtype=np.int32)
    upto = counter(row, np.sort(row[columns]), columns, rank)
    expected = naive(row, order, columns)
    assert rank.tolist() == expected[0]
    assert upto.tolist() == expected[1]


@st.composite
def rows(draw):
    size = draw(st.integers(1, 80))
    seed = draw(st.integers(0, 2**32 - 1))
    levels = draw(st.sampled_from([1, 2, 5, 30, 10**6]))
    scale = draw(st.sampled_from([1e-42, 1e-30, 1e-6, 1.0, 1e6, 1e37]))
    rng = np.random.default_rng(seed)
    row = (rng.integers(0, levels, size) - levels // 2) * min(scale, 1e38 / levels)
    row = row.astype(np.float32)
    first = draw(st.integers(0, size - 1))
    last = draw(st.integers(first + 1, size))
    return row, rng.permutation(size), slice(first, last)


@settings(max_examples=300, deadline=None)
@given(rows())
def test_ranks_of_scores_with_any_ties(case):
    row, order, columns = case
    with np.errstate(over="ignore", invalid="ignore"):
        check(FloatCounter(order, row.dtype), row, order, columns)
        check(FloatCounter(order, np.dtype(np.float64)), row.astype(np.float64), order, columns)


@pytest.mark.parametrize("relevant", [1, 8, 9, 300, 3000])
def test_ranks_of_many_distinct_scores(relevant):
    rng = np.random.default_rng(relevant)
    row = rng.standard_normal(3000).astype(np.float32)
    row[:relevant] += 1
    check(FloatCounter(rng.permutation(3000), row.dtype), row, rng.permutation(3000), slice(0, 1))
    order = rng.permutation(3000)
    columns = slice(3000 - relevant, 3000)
    rank = np.zeros(relevant, dtype=np.int32)
    upto = FloatCounter(order, row.dtype)(row, np.sort(row[columns]), columns, rank)
    place = np.empty(3000, dtype=int)
    place[np.argsort(-row, kind="stable")] = np.arange(1, 3001)
    assert rank.tolist() == sorted(place[columns])
    assert upto.tolist() == rank.tolist()


def test_a_gallery_full_of_pairs():
    """Every photo twice: some pairs within the relevant ones, some across."""
    rng = np.random.default_rng(5)
    row = np.repeat(rng.standard_normal(200).astype(np.float32), 2)
    rng.shuffle(row[:300])
    order = rng.permutation(400)
    check(FloatCounter(order, row.dtype), row, order, slice(100, 180))
    check(FloatCounter(order, row.dtype), row, order, slice(300, 400))


def test_a_counter_forgets_the_row_before():
    rng = np.random.default_rng(6)
    order = np.arange(500)
    counter = FloatCounter(order, np.dtype(np.float32))
    for _ in range(5):
        check(counter, rng.standard_normal(500).astype(np.float32), order, slice(20, 90))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 60))
def test_ranks_of_codes(seed, bits, size):
    rng = np.random.default_rng(seed)
    distance = rng.integers(0, bits + 1, size)
    row = (bits - 2 * distance).astype(np.float32)
    order = rng.permutation(size)
    check(CodeCounter(order, bits), row, order, slice(0, rng.integers(1, size + 1)))
