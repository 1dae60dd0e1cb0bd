"""Trustworthiness against scikit-learn's, which needs the whole matrix, and by hand."""

import numpy as np
import pytest
from sklearn import manifold

from sbirctl.report import trustworthiness as module
from sbirctl.report.trustworthiness import trustworthiness


@pytest.mark.parametrize("count, neighbours, cells", [(40, 5, 10**6), (200, 10, 900), (21, 10, 1)])
def test_it_is_scikit_learns(count, neighbours, cells, monkeypatch):
    monkeypatch.setattr(module, "_CELLS", cells)  # blocks of all rows, of four, of one
    rng = np.random.default_rng(count)
    vectors = rng.standard_normal((count, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    xy = vectors[:, :2] + 0.3 * rng.standard_normal((count, 2))
    wanted = manifold.trustworthiness(vectors, xy, n_neighbors=neighbours, metric="cosine")
    assert trustworthiness(vectors, xy, neighbours) == pytest.approx(wanted, abs=1e-12)


def test_a_layout_that_keeps_the_order_is_trusted_and_a_turned_one_is_not():
    angle = np.linspace(0, 1, 12)
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    line = np.stack([angle, np.zeros(12)], axis=1)
    assert trustworthiness(vectors, line, 3) == 1
    shuffled = line[np.random.default_rng(0).permutation(12)]
    assert trustworthiness(vectors, shuffled, 3) < 0.8
