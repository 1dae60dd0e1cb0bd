"""Gb's core against what follows analytically from its definition."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.edges.boundary import (
    boundary,
    filter_radius,
    gradient_filters,
    step_responses,
    unit_range,
)

CENTRE = (slice(20, 44), slice(20, 44))  # clear of the mirrored border


def ramps(*slopes: tuple[float, float], size: int = 64) -> torch.Tensor:
    """One layer a pair (slope along x, slope downwards)."""
    position = torch.arange(size, dtype=torch.float32)
    return torch.stack([a * position[None, :] + b * position[:, None] for a, b in slopes])[None]


def centre(image: torch.Tensor) -> torch.Tensor:
    return image[0][CENTRE]


@pytest.mark.parametrize(
    "radius, row",
    [
        (5, [0, 0.076154, 0.047123, 0.021174, 0.006909, 0.001637]),
        (6, [0, 0.054203, 0.038838, 0.022283, 0.010238, 0.003766, 0.001109]),
    ],
)
def test_filters_have_the_published_form(radius: int, row: list[float]) -> None:
    along_y, along_x = gradient_filters(radius)
    assert along_x[radius, radius:].tolist() == pytest.approx(row, abs=5e-7)
    assert float(along_x.abs().sum()) == pytest.approx(1)
    assert float(along_x.clamp(min=0).sum()) == pytest.approx(0.5)
    assert torch.equal(along_y, along_x.T)


def test_filters_by_a_naive_loop() -> None:
    radius, total, values = 4, 0.0, {}
    for y in range(-radius, radius + 1):
        for x in range(-radius, radius + 1):
            r = math.sqrt(x * x + y * y)
            deviation = radius / (2 * math.sqrt(2))
            unit = x if r <= 1 else x / r
            inside = r <= radius
            values[y, x] = math.exp(-r * r / (2 * deviation**2)) * unit if inside else 0.0
            total += abs(values[y, x])
    along_x = gradient_filters(radius)[1]
    for (y, x), value in values.items():
        assert float(along_x[y + radius, x + radius]) == pytest.approx(value / total, abs=1e-12)


@given(
    st.integers(1, 7),
    st.integers(3, 23),
    st.integers(3, 23),
    st.integers(0, 10_000),
)
@settings(max_examples=20)
def test_responses_by_direct_correlation(radius: int, height: int, width: int, seed: int) -> None:
    layers = np.random.default_rng(seed).normal(size=(1, 2, height, width)).astype(np.float32)
    index_y = [_mirror(i, height) for i in range(-radius, height + radius)]
    index_x = [_mirror(i, width) for i in range(-radius, width + radius)]
    padded = layers[:, :, index_y][..., index_x]
    for found, one in zip(
        step_responses(torch.from_numpy(layers), radius), gradient_filters(radius), strict=True
    ):
        expected = np.zeros(layers.shape)
        for dy in range(2 * radius + 1):
            for dx in range(2 * radius + 1):
                window = padded[:, :, dy : dy + height, dx : dx + width]
                expected += float(one[dy, dx]) * window
        np.testing.assert_allclose(found.numpy(), expected, atol=2e-6)


def _mirror(i: int, length: int) -> int:
    while not 0 <= i < length:
        i = -i - 1 if i < 0 else 2 * length - 1 - i
    return i


@pytest.mark.parametrize(
    "slopes, strength, angle",
    [
        ([(1, 0)], 2.16355, 0),
        ([(0, 1)], 2.16355, 90),
        ([(1, 1)], 3.05972, 135),
        ([(1, -1)], 3.05972, 45),
        ([(1, 0), (2, 0)], 4.83784, 0),
        ([(1, 0), (-2, 0)], 4.83784, 0),
    ],
)
def test_ramps(slopes: list[tuple[float, float]], strength: float, angle: float) -> None:
    found, direction = boundary(ramps(*slopes), 6)
    assert centre(found).numpy() == pytest.approx(strength, rel=1e-5)
    away = (centre(direction) - angle).abs()
    assert float(torch.minimum(away, 180 - away).max()) < 0.01


@pytest.mark.parametrize("height", [1.0, -3.0, 0.25])
def test_a_symmetric_step_measures_half_its_height(height: float) -> None:
    layer = torch.zeros(1, 1, 40, 81)
    layer[..., 40] = height / 2
    layer[..., 41:] = height
    strength, angle = boundary(layer, 6)
    assert strength[0, 20, 40].item() == pytest.approx(abs(height) / 2, rel=1e-5)
    assert min(angle[0, 20, 40].item(), 180 - angle[0, 20, 40].item()) < 0.01


def test_profile_of_a_step_between_two_columns() -> None:
    layer = torch.zeros(1, 1, 40, 80)
    layer[..., 40:] = 1
    profile = boundary(layer, 6)[0][0, 20, 36:45].tolist()
    expected = [0.0666, 0.168, 0.3277, 0.5, 0.5, 0.3277, 0.168, 0.0666, 0.0183]
    assert profile == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 73.3])
def test_a_flat_image_has_no_boundary(value: float) -> None:
    strength, _ = boundary(torch.full((1, 3, 30, 37), value), 6)
    assert torch.count_nonzero(strength) == 0


def test_an_exactly_vertical_edge_is_found() -> None:
    """Where the product of both responses is 0 the eigenvalue is still the larger of the two."""
    layer = torch.zeros(1, 1, 32, 32)
    layer[..., 16:] = 1
    strength, angle = boundary(layer, 5)
    assert strength[0, 16, 16].item() > 0.4
    assert min(angle[0, 16, 16].item(), 180 - angle[0, 16, 16].item()) < 0.01


@given(st.integers(0, 10_000), st.floats(-50, 50), st.permutations(range(3)))
@settings(max_examples=15)
def test_offset_sign_and_order_of_layers_change_nothing(
    seed: int, offset: float, order: list[int]
) -> None:
    layers = torch.rand(1, 3, 24, 31, generator=torch.Generator().manual_seed(seed))
    changed = layers.clone()
    changed[:, 0] = -changed[:, 0]
    changed[:, 1] += offset
    expected = boundary(layers, 4)
    found = boundary(changed[:, list(order)], 4)
    torch.testing.assert_close(found[0], expected[0], atol=2e-5, rtol=1e-4)


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_rotation_turns_the_strength_and_shifts_the_angle(seed: int) -> None:
    layers = torch.rand(1, 2, 24, 31, generator=torch.Generator().manual_seed(seed))
    strength, angle = boundary(layers, 4)
    turned, turned_angle = boundary(layers.rot90(1, (2, 3)), 4)
    torch.testing.assert_close(turned, strength.rot90(1, (1, 2)), atol=1e-5, rtol=1e-4)
    away = ((turned_angle - angle.rot90(1, (1, 2)) - 90) % 180).abs()
    doubtful = strength.rot90(1, (1, 2)) < 0.02
    assert float(torch.where(doubtful, 0, torch.minimum(away, 180 - away)).max()) < 1.0


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_strength_and_angle_are_the_leading_eigenvector(seed: int) -> None:
    layers = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(seed))
    along_y, along_x = (r[0, :, 9, 11].double().numpy() for r in step_responses(layers, 5))
    matrix = np.array(
        [[along_x @ along_x, along_x @ along_y], [along_x @ along_y, along_y @ along_y]]
    )
    values, vectors = np.linalg.eigh(matrix)
    strength, angle = boundary(layers, 5)
    assert strength[0, 9, 11].item() == pytest.approx(math.sqrt(values[1]), rel=1e-4)
    x, y = vectors[:, 1]
    expected = math.degrees(math.atan2(-y, x)) % 180
    away = abs(angle[0, 9, 11].item() - expected)
    if values[0] < 0.9 * values[1]:
        assert min(away, 180 - away) < 0.1


def test_radii_of_the_published_sizes() -> None:
    assert (filter_radius(0.016, 256, 256), filter_radius(0.041, 256, 256)) == (6, 15)
    assert (filter_radius(0.016, 227, 227), filter_radius(0.041, 227, 227)) == (5, 13)
    assert filter_radius(0.016, 8, 8) == 1


def test_unit_range() -> None:
    stretched = unit_range(torch.tensor([[2.0, 4.0, 3.0], [7.0, 7.0, 7.0]]), (1,))
    assert stretched.tolist() == [[0, 1, 0.5], [0, 0, 0]]
