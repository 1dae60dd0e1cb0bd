"""Counted ranks equal those of a plain stable sort, whatever the ties."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.retrieval import definitions, metrics, rank_counting, ranking
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, evaluate
from sbirctl.retrieval.rank_counting import CodeCounter, FloatCounter
from sbirctl.retrieval.ranking import Plan
from sbirctl.retrieval.ranking_problem import RankingProblem

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def one_pass(order, dtype):
    pytest.importorskip("numba")
    from sbirctl.retrieval.onepass import OnePassCounter

    return OnePassCounter(order)


every_way = pytest.mark.parametrize(
    "make",
    [FloatCounter, one_pass],
    ids=["NumPy", "compiled"],
)


def naive(row, order, columns):
    """Ranks and tie counts of the relevant columns, best first, by sorting the whole row."""
    by_place = np.argsort(order)
    ordered = sorted(by_place, key=lambda column: (-row[column], order[column]))
    wanted = range(columns.start, columns.stop)
    rank = [i + 1 for i, column in enumerate(ordered) if column in wanted]
    upto = [int((row >= row[column]).sum()) for column in ordered if column in wanted]
    return rank, upto


def check(counter, rows, order, columns, wanted=None):
    """Compare all rows (one is wrapped) with the plain sort, or with what it gave before."""
    rows = np.atleast_2d(rows)
    wanted = wanted or [naive(row, order, columns) for row in rows]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        ranks = counter(rows, columns)
    for i, expected in enumerate(wanted):
        assert ranks.rank[i].tolist() == expected[0]
        assert ranks.upto[i].tolist() == expected[1]


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


@every_way
@settings(max_examples=150)
@given(case=rows())
def test_ranks_of_scores_with_any_ties(make, case):
    rows, order, columns = case
    for dtype in FLOATS:
        check(make(order, dtype), rows.astype(dtype), order, columns)


@every_way
@pytest.mark.parametrize("relevant", [1, 8, 9, 300, 3000])
def test_ranks_of_many_distinct_scores(make, relevant):
    rng = np.random.default_rng(relevant)
    many = rng.standard_normal((40, 3000)).astype(np.float32)
    many[:, :relevant] += 1
    order = rng.permutation(3000)
    columns = slice(3000 - relevant, 3000)
    ranks = make(order, many.dtype)(many, columns)
    rank, upto = ranks.rank, ranks.upto
    for i, row in enumerate(many):
        place = np.empty(3000, dtype=int)
        place[np.argsort(-row, kind="stable")] = np.arange(1, 3001)
        greater = [int((row > value).sum()) for value in np.sort(row[columns])[::-1]]
        assert (upto[i] - 1 >= greater).all()
        if len(np.unique(row)) == len(row):
            assert rank[i].tolist() == sorted(place[columns])
            assert upto[i].tolist() == rank[i].tolist()


@every_way
def test_a_gallery_full_of_pairs(make):
    """Every photo twice: some pairs within the relevant ones, some across."""
    rng = np.random.default_rng(5)
    row = np.repeat(rng.standard_normal(200).astype(np.float32), 2)
    rng.shuffle(row[:300])
    order = rng.permutation(400)
    check(make(order, row.dtype), row, order, slice(100, 180))
    check(make(order, row.dtype), row, order, slice(300, 400))


@every_way
def test_a_counter_forgets_the_row_before(make):
    rng = np.random.default_rng(6)
    order = np.arange(500)
    counter = make(order, np.dtype(np.float32))
    for _ in range(5):
        check(counter, rng.standard_normal(500).astype(np.float32), order, slice(20, 90))


@every_way
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("columns", [slice(700, 701), slice(300, 900), slice(0, 1500)])
def test_scores_that_spread_badly(make, dtype, columns):
    """What a map onto buckets of one width finds hard, and far more ties than photos."""
    rng = np.random.default_rng(7)
    far = rng.standard_normal(1500) / 1e6
    far[columns.start] = 1e6
    skewed = np.exp(20 * rng.standard_normal(1500))
    two = rng.integers(0, 2, 1500).astype(float)
    ends = np.linspace(-1, 1, 1500)
    ends[::3], ends[1::3] = np.inf, -np.inf
    largest = np.linspace(-1, 1, 1500) * np.finfo(dtype).max
    high, beyond = far + 1, largest.copy()
    high[::3], beyond[::3] = np.inf, np.inf
    made = [far, skewed, two, np.zeros(1500), ends, largest, -far, high, beyond, -high]
    rows = np.array(made).astype(dtype)
    order = rng.permutation(1500)
    counter = make(order, dtype)
    wanted = [naive(row, order, columns) for row in rows]
    check(counter, rows, order, columns, wanted)  # rows counted together may share a way out
    for row, one in zip(rows, wanted, strict=True):
        check(counter, row, order, columns, [one])


@every_way
def test_relevant_photos_with_a_positive_score(make):
    rows = np.array([[3, -1, 0, 2, 1], [1, 0, -2, 0, 5]], dtype=np.float32)
    counter = make(np.arange(5), rows.dtype)
    assert counter(rows, slice(1, 4)).positive.tolist() == [1, 0]
    assert counter(rows, slice(0, 5)).positive.tolist() == [3, 2]


def problem(dtype):
    """Half of the photos stand twice in the gallery, often with another label."""
    rng = np.random.default_rng(8)
    gallery = np.repeat(rng.standard_normal((450, 12)), 2, axis=0)[:900]
    query, label = rng.standard_normal((1100, 12)), rng.integers(0, 5, 1100)
    names = tuple("abcde")
    return Embeddings(
        query.astype(dtype), gallery.astype(dtype), label, rng.integers(0, 5, 900), names
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_figures_are_the_same_bits_with_and_without_numba(dtype, monkeypatch):
    pytest.importorskip("numba")
    wanted = [metrics.parse(name) for name in metrics.DEFAULT]
    every = [d for d in definitions.PRESETS.values() if d.similarity != "hamming"]
    found = []
    for least, threads in [(10**9, 1), (0, 1), (0, 3)]:
        monkeypatch.setattr(rank_counting, "COMPILED_FROM", least)
        plan = Plan(threads=threads)
        found.append(evaluate(problem(dtype), wanted, every, Options(plan=plan)))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            for name in a.values:
                np.testing.assert_array_equal(a.values[name], b.values[name])


def test_which_counter_is_taken(monkeypatch):
    ready = RankingProblem.from_embeddings(problem(FLOATS[0]), "cosine")
    assert isinstance(rank_counting.counter(ready), FloatCounter)
    monkeypatch.setattr(rank_counting, "COMPILED_FROM", 1100 * 900)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "numba", None)
        without.delitem(sys.modules, "sbirctl.retrieval.onepass", raising=False)
        assert isinstance(rank_counting.counter(ready), FloatCounter)
    pytest.importorskip("numba")
    assert not isinstance(rank_counting.counter(ready), FloatCounter)


@pytest.mark.parametrize("memory, compiled", [(100, False), (400, True), (None, True)])
def test_compiled_code_is_left_where_it_would_pass_the_memory(memory, compiled, monkeypatch):
    """numba takes more than 100 MB for itself."""
    pytest.importorskip("numba")
    monkeypatch.setattr(rank_counting, "COMPILED_FROM", 0)
    made = []

    def note(ready, allowed):
        made.append(rank_counting.counter(ready, allowed))
        return made[-1]

    monkeypatch.setattr(ranking, "counter", note)
    plan = Plan(memory=memory and memory * 10**6, threads=2)
    wanted = [metrics.parse("map@all")]
    evaluate(problem(FLOATS[0]), wanted, [definitions.PRESETS["standard"]], Options(plan=plan))
    assert {isinstance(one, FloatCounter) for one in made} == {not compiled}


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 60))
def test_ranks_of_codes(seed, bits, size):
    rng = np.random.default_rng(seed)
    distance = rng.integers(0, bits + 1, (3, size))
    made = (bits - 2 * distance).astype(np.float32)
    order = rng.permutation(size)
    check(CodeCounter(order, bits), made, order, slice(0, rng.integers(1, size + 1)))
