"""Augmentation: white stays white, draws depend on the seed alone, geometry by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.sampling.batch import Batch
from sbirctl.training.augment import augment, move


def batch_of(photo, sketch, edge=None, photo_instance=None, sketch_instance=None):
    none = torch.full((len(photo),), -1)
    return Batch(
        photo,
        sketch,
        edge,
        torch.zeros(len(photo), dtype=torch.int64),
        torch.zeros(len(sketch), dtype=torch.int64),
        none if photo_instance is None else torch.tensor(photo_instance),
        torch.full((len(sketch),), -1)
        if sketch_instance is None
        else torch.tensor(sketch_instance),
        None,
        tuple(map(str, range(len(photo) + len(sketch)))),
    )


def noise(n, channels, size=16, seed=0):
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8, generator=draws)


@settings(max_examples=25)
@given(st.integers(0, 2**62), st.integers(5, 40), st.sampled_from(["flip", "standard"]))
def test_blank_paper_stays_exactly_white(seed, size, name):
    paper = torch.full((3, 1, size, size), 255, dtype=torch.uint8)
    found = augment(batch_of(noise(3, 3, size), paper, paper), name, seed)
    assert bool((found.sketch == 255).all())
    assert bool((found.edge == 255).all())


@settings(max_examples=25)
@given(st.integers(0, 2**62))
def test_corners_of_a_turned_sketch_are_white(seed):
    drawn = torch.full((4, 1, 32, 32), 255, dtype=torch.uint8)
    drawn[:, :, 12:20, 12:20] = 0
    found = augment(batch_of(noise(4, 3, 32), drawn), "standard", seed)
    for y in (0, -1):
        for x in (0, -1):
            assert bool((found.sketch[:, :, y, x] == 255).all())
    assert bool((found.sketch == 0).flatten(1).any(1).all())  # the ink is still there


@settings(max_examples=20)
@given(st.integers(0, 2**62), st.integers(0, 255))
def test_a_plain_photo_has_no_borders(seed, value):
    """Reflection leaves no frame: one grey stays one grey, whatever the colours do."""
    plain = torch.full((3, 3, 16, 16), value, dtype=torch.uint8)
    found = augment(batch_of(plain, noise(1, 1)), "standard", seed).photo.flatten(1).int()
    assert bool((found.amax(1) - found.amin(1) <= 1).all())


def test_equal_seeds_give_equal_batches_and_others_do_not():
    batch = batch_of(noise(4, 3), noise(4, 1), noise(4, 1, seed=1))
    one, same, other = (augment(batch, "standard", seed) for seed in (5, 5, 6))
    for side in ("photo", "sketch", "edge"):
        assert torch.equal(getattr(one, side), getattr(same, side))
        assert not torch.equal(getattr(one, side), getattr(other, side))
        assert getattr(one, side).dtype == torch.uint8


def test_none_is_the_batch_itself():
    batch = batch_of(noise(2, 3), noise(2, 1))
    assert augment(batch, "none", 1) is batch


def test_flip_gives_the_image_or_its_mirror_and_both_occur():
    batch = batch_of(noise(32, 3), noise(32, 1))
    found = augment(batch, "flip", 3)
    for side in ("photo", "sketch"):
        before, after = getattr(batch, side), getattr(found, side)
        same = (after == before).flatten(1).all(1)
        mirrored = (after == before.flip(-1)).flatten(1).all(1)
        assert bool((same ^ mirrored).all())
        assert 4 < int(mirrored.sum()) < 28


def test_a_pair_is_mirrored_together():
    photo, sketch = noise(24, 3), noise(24, 1)
    pairs = list(range(24))
    found = augment(batch_of(photo, sketch, None, pairs, pairs), "flip", 3)
    photo_mirrored = (found.photo != photo).flatten(1).any(1)
    assert torch.equal(photo_mirrored, (found.sketch != sketch).flatten(1).any(1))
    assert 0 < int(photo_mirrored.sum()) < 24


def test_edges_move_with_their_photos():
    """An edge map that is the photo's inverse grey stays it, away from the reflected border."""
    photo = noise(8, 1, 32).expand(-1, 3, -1, -1)
    batch = batch_of(photo, noise(1, 1, 32), photo[:, :1])
    found = augment(batch, "flip", 11)
    assert torch.equal(found.photo[:, :1], found.edge)


@pytest.mark.parametrize("degrees", [90, 180])
def test_quarter_turns_are_exact(degrees):
    image = noise(1, 1).float()
    angle = math.radians(degrees)
    rows = [[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]]
    found = move(image, torch.tensor([rows]), "zeros")
    expected = torch.rot90(image, -degrees // 90 % 4, (2, 3))
    assert torch.allclose(found, expected, atol=1e-2) or torch.allclose(
        found, torch.rot90(image, degrees // 90, (2, 3)), atol=1e-2
    )


def test_the_mean_colour_of_many_photos_hardly_moves():
    """Colour draws are centred: no drift to brighter or darker."""
    photo = torch.full((400, 3, 4, 4), 100, dtype=torch.uint8)
    found = augment(batch_of(photo, noise(1, 1, 4)), "standard", 2).photo.float()
    assert abs(float(found.mean()) - 100) < 3
    assert float(found.mean((1, 2, 3)).std()) > 5
