"""Non-maximum suppression by hand, and that a skeleton keeps the topology."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sbirctl.edges.thinning import non_maximum_suppression, skeleton, thin

masks = arrays.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14)))


def skeleton_of(mask: np.ndarray) -> np.ndarray:
    return skeleton(torch.from_numpy(mask)[None])[0].numpy()


def pieces(mask: np.ndarray) -> tuple[int, int]:
    """Number of 8-connected pieces, and of 4-connected pieces of what is around them."""
    ground = np.pad(~mask, 1, constant_values=True)
    return (
        cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0],
        cv2.connectedComponents(ground.astype(np.uint8), connectivity=4)[0],
    )


@given(masks)
@settings(max_examples=200)
def test_a_skeleton_breaks_nothing_and_joins_nothing(mask: np.ndarray) -> None:
    thinned = skeleton_of(mask)
    assert not np.any(thinned & ~mask)
    assert pieces(thinned) == pieces(mask)
    assert np.array_equal(skeleton_of(thinned), thinned)


def test_a_bar_becomes_a_line() -> None:
    mask = np.zeros((11, 30), dtype=bool)
    mask[4:7, 3:27] = True
    thinned = skeleton_of(mask)
    assert (thinned.sum(0) <= 1).all()
    assert thinned[5, 5:25].all()


def test_images_of_a_batch_are_thinned_apart() -> None:
    thick = torch.ones(1, 9, 20, dtype=torch.bool)
    line = torch.zeros(1, 9, 20, dtype=torch.bool)
    line[:, 4] = True
    both = skeleton(torch.cat([thick, line]))
    assert torch.equal(both[:1], skeleton(thick))
    assert torch.equal(both[1:], line)


def bilinear(image: np.ndarray, y: float, x: float) -> float:
    total = 0.0
    for j in (math.floor(y), math.floor(y) + 1):
        for i in (math.floor(x), math.floor(x) + 1):
            weight = (1 - abs(y - j)) * (1 - abs(x - i))
            if weight > 1e-9:
                total += weight * image[j, i]
    return total


@pytest.mark.parametrize("seed", range(3))
def test_suppression_by_a_naive_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    strength = generator.random((12, 15)).astype(np.float32)
    strength[generator.random(strength.shape) < 0.2] = 0
    angle = (generator.random((12, 15)) * 180).astype(np.float32)
    expected = np.zeros_like(strength)
    for y in range(2, 10):
        for x in range(2, 13):
            theta = math.radians(math.floor(angle[y, x]))
            dy, dx = round(-2 * math.sin(theta), 9), round(2 * math.cos(theta), 9)
            sides = (
                bilinear(strength, y + dy, x + dx),
                bilinear(strength, y - dy, x - dx),
            )
            if strength[y, x] > max(sides) + 1e-6:
                expected[y, x] = strength[y, x]
    found = non_maximum_suppression(torch.from_numpy(strength)[None], torch.from_numpy(angle)[None])
    np.testing.assert_array_equal(found[0].numpy(), expected)


@pytest.mark.parametrize("angle", [0, 90])
def test_a_ridge_is_kept_and_its_sides_go(angle: int) -> None:
    profile = torch.tensor([0, 0, 0.1, 0.3, 0.6, 1, 0.6, 0.3, 0.1, 0, 0])
    strength = profile.expand(1, 20, 11)
    strength = strength if angle == 0 else strength.transpose(1, 2)
    thinned = thin(strength.contiguous(), torch.full(strength.shape, float(angle)))
    kept = thinned[0] if angle == 0 else thinned[0].T
    assert kept[2:-2, 5].tolist() == [1.0] * 16
    assert int((kept > 0).sum()) == 16


def test_equal_neighbours_are_no_crest() -> None:
    strength = torch.full((1, 9, 9), 0.5)
    assert torch.count_nonzero(thin(strength, torch.zeros(1, 9, 9))) == 0
