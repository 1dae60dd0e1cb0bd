"""Scored pairs over a pre-filter, against scoring everything one by one."""

from __future__ import annotations

import numpy as np
import pytest

from sbirctl.retrieval.rerank.blocks import unlabelled
from sbirctl.retrieval.rerank.pairs import Pairs, pair_blocks

QUERIES, PHOTOS = 7, 23


@pytest.fixture
def sides():
    rng = np.random.default_rng(0)
    vectors = [rng.normal(size=(count, 5)) for count in (QUERIES, PHOTOS)]
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors]
    return *unit, rng.random((QUERIES, PHOTOS))


def ranked(scores):
    return np.argsort(-scores, axis=1, kind="stable")


@pytest.mark.parametrize("top", [1, 5, 22, 23, 40, 0])
def test_the_first_photos_stand_as_a_naive_scoring_of_every_pair_has_them(sides, top):
    query, gallery, pair = sides
    asked = np.zeros((QUERIES, PHOTOS), dtype=int)

    def scorer(rows, photos):
        for i, row in enumerate(rows):
            asked[row, photos[i]] += 1
        return np.stack([pair[row, photos[i]] for i, row in enumerate(rows)])

    made = np.concatenate(list(pair_blocks(unlabelled(query, gallery), Pairs(top), scorer)))
    first = ranked(query @ gallery.T)
    count = min(top or PHOTOS, PHOTOS)
    for i in range(QUERIES):
        chosen = sorted(first[i, :count], key=lambda photo: -pair[i, photo])
        assert ranked(made)[i].tolist() == [*chosen, *first[i, count:]]
        assert made[i, chosen] == pytest.approx(2 + pair[i, chosen])
    assert (asked.sum(axis=1) == count).all()
    assert asked.max() == 1


def test_the_rest_of_given_scores_stays_below_whatever_they_are(sides):
    query, gallery, pair = sides
    given = 1000 * pair.T[:QUERIES, :].repeat(4, axis=1)[:, :PHOTOS]
    e = unlabelled(query, gallery, scores=given)
    (made,) = pair_blocks(e, Pairs(3), lambda rows, photos: np.zeros(photos.shape))
    assert (np.sort(made, axis=1)[:, -3:] == 2).all()
    assert (np.sort(made, axis=1)[:, :-3] <= 1).all()
