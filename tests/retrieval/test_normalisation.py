"""Rows of length 1, whatever their length was."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbirctl.retrieval import definitions, metrics
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.normalisation import normalise_rows

KINDS = (np.float16, np.float32, np.float64)


@given(st.lists(st.integers(-8, 8), min_size=1, max_size=6), st.integers(-1060, 1000))
def test_vectors_of_any_size_keep_their_direction(values, power):
    """Against exact arithmetic on whole numbers: a power of two changes no direction."""
    for kind in KINDS:
        with np.errstate(over="ignore"):
            row = np.ldexp(np.array(values, np.float64), power).astype(kind)
        exact = np.ldexp(np.array(values, np.float64), power)
        if not np.array_equal(row.astype(np.float64), exact):
            continue  # this type cannot hold it
        length = math.sqrt(sum(v * v for v in values)) or 1.0
        for dtype in (np.float32, np.float64):
            made = normalise_rows(row[None], dtype)
            assert made.dtype == dtype
            np.testing.assert_allclose(made[0], np.array(values) / length, rtol=1e-6)


def test_a_row_of_zeros_stays_one_and_the_rest_is_untouched():
    given_rows = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    kept = given_rows.copy()
    assert normalise_rows(given_rows).tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0]]
    assert (given_rows == kept).all()
    assert normalise_rows(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    "kind, factor",
    [(np.float32, 1e-44), (np.float32, 1e37), (np.float64, 1e-300), (np.float64, 1e300)],
)
def test_the_length_of_vectors_does_not_change_a_figure(kind, factor):
    rng = np.random.default_rng(0)
    query, gallery = (rng.integers(-9, 10, (12, 5)).astype(kind) for _ in range(2))
    label = np.arange(12) % 3

    def figure(q, g):
        e = Embeddings(q, g, label, label, ("a", "b", "c"))
        (found,) = evaluate(e, [metrics.parse("map@all")], [definitions.get("standard")])
        return found.mean("map@all")

    scaled = figure(query * kind(factor), gallery * kind(factor))
    assert scaled == pytest.approx(figure(query, gallery), abs=1e-9)
