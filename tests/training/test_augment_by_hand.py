"""Augmentation against a naive implementation: signs, sizes, colours, edges beside photos."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sbirctl.sampling.batch import Batch
from sbirctl.training import augment as module
from sbirctl.training.augment import STRENGTHS, Strength, augment

SIZE = 33
MIDDLE = SIZE // 2


def batch_of(photo: torch.Tensor, sketch: torch.Tensor, edge: torch.Tensor | None = None) -> Batch:
    photos, sketches = len(photo), len(sketch)
    return Batch(
        photo,
        sketch,
        edge,
        torch.zeros(photos, dtype=torch.int64),
        torch.zeros(sketches, dtype=torch.int64),
        torch.full((photos,), -1),
        torch.full((sketches,), -1),
        None,
        tuple(map(str, range(photos + sketches))),
    )


def noise(n: int, channels: int, size: int, seed: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8, generator=draws)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch):
    """`only(degrees=15.0)`: an augmentation "standard" that does nothing else."""

    def choose(**strength: float) -> None:
        monkeypatch.setitem(module.STRENGTHS, "standard", Strength(**strength))

    return choose


def draws_of(n_photo: int, n_sketch: int, seed: int, grey: bool = False):
    """The draws of a batch in their order: mirrors, photos' warps, sketches' warps, colours."""
    rng = torch.Generator().manual_seed(seed)
    mirror = torch.rand(n_photo + n_sketch, generator=rng) < 0.5
    photo = torch.rand(n_photo, 4, generator=rng) * 2 - 1
    sketch = torch.rand(n_sketch, 4, generator=rng) * 2 - 1
    colour = torch.rand(n_photo, 3, generator=rng) * 2 - 1
    chosen = torch.rand(n_photo, generator=rng) if grey else torch.ones(n_photo)
    return (
        mirror.tolist(),
        photo.double().numpy(),
        sketch.double().numpy(),
        colour.double().numpy(),
        chosen.numpy(),
    )


def reflected(position: float, size: int) -> float:
    """A pixel position brought back into the image as by mirrors at its borders."""
    low, high = -0.5, size - 0.5
    span = high - low
    position = abs(position - low) % (2 * span)
    return low + (2 * span - position if position > span else position)


def warped(image: np.ndarray, draw: np.ndarray, mirror: bool, s: Strength, ink: bool) -> np.ndarray:
    """One (C, H, W) image, pixel by pixel: where each came from, and the four around it."""
    size = image.shape[-1]
    turn, scale, right, down = draw
    angle = math.radians(turn * s.degrees)
    magnified = math.exp(scale * s.scale)
    sign = -1.0 if mirror else 1.0
    values = 255.0 - image if ink else image.astype(float)
    found = np.zeros_like(values, dtype=float)
    for i in range(size):
        for j in range(size):
            x, y = (2 * j + 1) / size - 1, (2 * i + 1) / size - 1
            u = sign * (math.cos(angle) * x - math.sin(angle) * y) / magnified
            v = (math.sin(angle) * x + math.cos(angle) * y) / magnified
            u, v = u + 2 * right * s.shift, v + 2 * down * s.shift
            column, row = ((u + 1) * size - 1) / 2, ((v + 1) * size - 1) / 2
            if not ink:
                column, row = reflected(column, size), reflected(row, size)
                column, row = min(max(column, 0), size - 1), min(max(row, 0), size - 1)
            left, top = math.floor(column), math.floor(row)
            for m, wide in ((left, 1 - (column - left)), (left + 1, column - left)):
                for n, tall in ((top, 1 - (row - top)), (top + 1, row - top)):
                    if 0 <= m < size and 0 <= n < size:
                        found[:, i, j] += wide * tall * values[:, n, m]
    return 255.0 - found if ink else found


def coloured(image: np.ndarray, draw: np.ndarray, s: Strength, grey: bool) -> np.ndarray:
    """Saturation around the luma, contrast around its mean, brightness, in this order."""
    brightness, contrast, saturation = 1 + draw * (s.brightness, s.contrast, s.saturation)
    saturation = 0.0 if grey else saturation
    luma = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    values = luma + saturation * (image - luma)
    values = luma.mean() + contrast * (values - luma.mean())
    return values * brightness


@pytest.mark.parametrize("name", ["standard", "strong"])
def test_every_pixel_is_that_of_the_naive_implementation(name):
    size, strength = 11, STRENGTHS[name]
    photo, sketch, edge = noise(3, 3, size, 1), noise(2, 1, size, 2), noise(3, 1, size, 3)
    found = augment(batch_of(photo, sketch, edge), name, 7)
    mirror, warps, ink_warps, colours, chosen = draws_of(3, 2, 7, grey=bool(strength.grey))
    for n in range(3):
        moved = warped(photo[n].numpy(), warps[n], mirror[n], strength, ink=False)
        expected = coloured(moved, colours[n], strength, grey=chosen[n] < strength.grey)
        assert np.abs(found.photo[n].numpy() - expected.clip(0, 255)).max() < 0.6
        expected = warped(edge[n].numpy(), warps[n], mirror[n], strength, ink=True)
        assert np.abs(found.edge[n].numpy() - expected).max() < 0.6
    for n in range(2):
        expected = warped(sketch[n].numpy(), ink_warps[n], mirror[3 + n], strength, ink=True)
        assert np.abs(found.sketch[n].numpy() - expected).max() < 0.6


def test_some_photos_of_strong_are_grey_and_some_are_not():
    photo = noise(40, 3, 8, 4)
    found = augment(batch_of(photo, noise(1, 1, 8, 5)), "strong", 3).photo.int()
    spread = (found.amax(1) - found.amin(1)).flatten(1).amax(1)
    assert 10 < int((spread <= 1).sum()) < 30


def dot(right: int, down: int) -> torch.Tensor:
    """A sketch with one black spot of 3 x 3, so far from the middle."""
    drawn = torch.full((1, 1, SIZE, SIZE), 255, dtype=torch.uint8)
    i, j = MIDDLE + down, MIDDLE + right
    drawn[:, :, i - 1 : i + 2, j - 1 : j + 2] = 0
    return drawn


def where(images: torch.Tensor) -> tuple[float, float]:
    """Centre of the ink, right of and below the middle, in pixels."""
    ink = 255.0 - images[0, 0].double()
    places = torch.arange(SIZE, dtype=torch.float64) - MIDDLE
    total = ink.sum()
    return float((ink.sum(0) * places).sum() / total), float((ink.sum(1) * places).sum() / total)


def seed_with(n: int, column: int, above: float, mirrored: bool = False) -> tuple[int, float]:
    """A seed whose sketch draw of that kind is above (or, negative, below) a bound; the draw."""
    for seed in range(1000):
        mirror, _, warps, _, _ = draws_of(n, 1, seed)
        draw = warps[0, column]
        if mirror[n] == mirrored and (draw > above if above > 0 else draw < above):
            return seed, float(draw)
    raise AssertionError("no such seed")


@pytest.mark.parametrize("above", [0.5, -0.5])
def test_a_spot_is_turned_by_the_drawn_angle(only, above):
    only(degrees=40.0)
    seed, draw = seed_with(1, 0, above)
    found = augment(batch_of(noise(1, 3, SIZE, 0), dot(10, 0)), "standard", seed)
    right, down = where(found.sketch)
    angle = math.radians(40 * draw)  # a positive turn is counter-clockwise on the screen
    assert right == pytest.approx(10 * math.cos(angle), abs=0.2)
    assert down == pytest.approx(-10 * math.sin(angle), abs=0.2)


@pytest.mark.parametrize("above", [0.5, -0.5])
def test_a_spot_moves_out_where_the_image_is_magnified(only, above):
    only(scale=0.4)
    seed, draw = seed_with(1, 1, above)
    found = augment(batch_of(noise(1, 3, SIZE, 0), dot(9, 6)), "standard", seed)
    factor = math.exp(0.4 * draw)
    assert (factor > 1) == (above > 0)
    assert where(found.sketch) == pytest.approx((9 * factor, 6 * factor), abs=0.2)


@pytest.mark.parametrize("column", [2, 3])
def test_a_spot_is_shifted_along_its_own_axis(only, column):
    only(shift=0.2)
    seed, _ = seed_with(1, column, 0.5)
    _, _, warps, _, _ = draws_of(1, 1, seed)
    found = augment(batch_of(noise(1, 3, SIZE, 0), dot(0, 0)), "standard", seed)
    right, down = where(found.sketch)
    assert right == pytest.approx(-0.2 * SIZE * warps[0, 2], abs=0.2)
    assert down == pytest.approx(-0.2 * SIZE * warps[0, 3], abs=0.2)


def test_turns_and_scales_leave_right_angles_right(only):
    """No shear: two arms at a right angle stay at one, and keep their ratio."""
    only(degrees=40.0, scale=0.3)
    for seed in range(20):
        arms = [
            where(augment(batch_of(noise(1, 3, SIZE, 0), dot(*arm)), "standard", seed).sketch)
            for arm in ((9, 0), (0, 9))
        ]
        (a, b), (c, d) = arms
        assert abs(a * c + b * d) < 4
        assert math.hypot(a, b) == pytest.approx(math.hypot(c, d), abs=0.4)


@pytest.mark.parametrize(("channel", "weight"), [(0, 0.299), (1, 0.587), (2, 0.114)])
def test_a_pure_colour_without_saturation_is_its_luma(only, channel, weight):
    only(saturation=1.0, grey=1.0)
    photo = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    photo[:, channel] = 200
    found = augment(batch_of(photo, noise(1, 1, 8, 0)), "standard", 1).photo
    assert bool((found == round(200 * weight)).all())


def test_contrast_is_about_the_mean_and_brightness_about_black(only):
    photo = torch.full((1, 3, 8, 8), 60, dtype=torch.uint8)
    photo[..., 4:] = 140
    for kind in ("contrast", "brightness"):
        only(**{kind: 0.5})
        for seed in range(6):
            *_, colours, _ = draws_of(1, 1, seed)
            factor = 1 + 0.5 * colours[0, 1 if kind == "contrast" else 0]
            found = sorted(
                augment(batch_of(photo, noise(1, 1, 8, 0)), "standard", seed)
                .photo.unique()
                .tolist()
            )
            about = 100 if kind == "contrast" else 0
            expected = [about + factor * (v - about) for v in (60, 140)]
            assert found == pytest.approx(expected, abs=1)


def test_a_grey_photo_stays_grey_whatever_the_saturation(only):
    only(brightness=0.3, contrast=0.3, saturation=0.9)
    photo = noise(6, 1, 12, 8).expand(-1, 3, -1, -1).contiguous()
    found = augment(batch_of(photo, noise(1, 1, 12, 0)), "standard", 4).photo.int()
    assert int((found.amax(1) - found.amin(1)).max()) <= 1


def test_an_edge_map_moves_with_its_own_photo_in_standard(only):
    """The photo's inverse as its edge map stays that, where both are continued alike."""
    only(degrees=15.0, shift=0.05, scale=0.2)
    photo = torch.full((5, 3, SIZE, SIZE), 255, dtype=torch.uint8)
    for n in range(5):
        photo[n, :, 8 + n : 14 + n, 10 : 18 + n] = 0
    found = augment(batch_of(photo, noise(1, 1, SIZE, 0), photo[:, :1]), "standard", 9)
    assert torch.equal(found.photo[:, :1], found.edge)
    assert not torch.equal(found.edge, photo[:, :1])


def test_batches_of_two_epochs_and_two_steps_differ():
    """Augmentation's seeds hold the epoch and the step."""
    from sbirctl.core.seeds import seed_for

    seeds = {
        seed_for("augment", 0, "train", epoch, step) for epoch in range(3) for step in range(3)
    }
    assert len(seeds) == 9
    batch = batch_of(noise(2, 3, 8, 0), noise(2, 1, 8, 1))
    made = {augment(batch, "standard", seed).photo.numpy().tobytes() for seed in seeds}
    assert len(made) == 9
