"""Numbers of classes stand near their points, within the panel, and never on one another."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.report.tsne import Projection
from sbirctl.report.tsne_labels import anchors, arrange


def overlaps(centres, sizes):
    apart = np.abs(centres[:, None] - centres) >= (sizes[:, None] + sizes) / 2 - 1e-9
    return np.triu(~apart.any(axis=-1), 1).sum()


@given(st.integers(1, 40), st.integers(0, 5))
@settings(max_examples=30)
def test_boxes_keep_apart_and_inside(count, seed):
    rng = np.random.default_rng(seed)
    frame = np.array([3.3, 3.0])
    at = rng.random((count, 2)) * frame
    sizes = np.stack([0.05 + 0.1 * rng.random(count), np.full(count, 0.07)], axis=1)
    centres = arrange(at, sizes, rng.random((300, 2)) * frame, frame)
    assert (centres - sizes / 2 >= -1e-9).all()
    assert (centres + sizes / 2 <= frame + 1e-9).all()
    assert overlaps(centres, sizes) == 0


def test_boxes_at_one_place_spread_out_and_stay_near():
    at = np.full((9, 2), 1.5)
    sizes = np.full((9, 2), [0.12, 0.08])
    centres = arrange(at, sizes, np.zeros((0, 2)), np.array([3.0, 3.0]))
    assert overlaps(centres, sizes) == 0
    assert np.linalg.norm(centres - at, axis=1).max() < 0.4


def test_free_room_is_taken_before_points_are_covered():
    at, sizes = np.array([[1.0, 1.0]]), np.array([[0.1, 0.1]])
    above = np.stack([np.linspace(0.96, 1.04, 5), np.full(5, 1.05)], axis=1)
    (centre,) = arrange(at, sizes, above, np.array([2.0, 2.0]))
    assert not (np.abs(above - centre) < 0.05).all(axis=1).any()


def test_a_class_has_a_number_a_modality_where_they_lie_apart():
    xy = np.array([[0, 0], [0.1, 0], [0, 0.1], [3, 3], [3, 3.1], [1, 1], [1.1, 1]], np.float32)
    found = Projection(
        xy, np.array([0, 0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0, 1]),
        np.zeros(7, int), ("",) * 7, ("apart", "together", "absent"), {},
    )  # fmt: skip
    both = anchors(found, xy, (0, 1))
    assert [code for code, _ in both] == [0, 0, 1]
    assert all(any((place == point).all() for point in xy) for _, place in both)
    assert [code for code, _ in anchors(found, xy, (1,))] == [0, 1]
