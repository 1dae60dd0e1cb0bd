from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.neighbours import first_of, nearest


def some(seed=0, queries=9, photos=30, dim=4):
    rng = np.random.default_rng(seed)
    return Embeddings(
        query=rng.standard_normal((queries, dim)),
        gallery=rng.standard_normal((photos, dim)),
        query_label=np.arange(queries) % 3,
        gallery_label=np.arange(photos) % 3,
        classes=("a", "b", "c"),
    )


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_as_a_plain_sort_of_cosines():
    e = some()
    rows = np.array([4, 0, 4, 8])  # in any order, repeated
    found = nearest(e, rows, 7)
    cosine = unit(e.query[rows]) @ unit(e.gallery).T
    assert found.row.tolist() == np.argsort(-cosine, axis=1)[:, :7].tolist()
    assert found.score == pytest.approx(np.sort(cosine, axis=1)[:, ::-1][:, :7])


def test_a_short_gallery_ends_in_nothing():
    found = nearest(some(photos=3), np.array([1]), 5)
    assert found.row[0, 3:].tolist() == [-1, -1]
    assert np.isnan(found.score[0, 3:]).all()
    assert sorted(found.row[0, :3]) == [0, 1, 2]


def test_scope_class_sees_its_group_only():
    e = some()
    e = replace(e, scope="class", query_group=e.query_label, gallery_group=e.gallery_label)
    found = nearest(e, np.arange(9), 4)
    assert (e.gallery_label[found.row] == e.query_label[:, None]).all()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(1, 25), st.randoms())
@settings(max_examples=60)
def test_equal_scores_stay_in_gallery_order(values, k, random):
    order = list(range(len(values)))
    random.shuffle(order)
    found = first_of(np.array(values, dtype=np.float32), np.array(order), k)
    naive = sorted(range(len(values)), key=lambda i: (-values[i], order[i]))
    assert found.tolist() == naive[:k]
