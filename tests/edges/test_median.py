"""The median filter, both ways, against a sorted window."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.edges.median import _bordered, _by_opencv, _by_sorting, median_filter


def test_median_of_whole_levels_by_a_naive_loop() -> None:
    values = np.random.default_rng(0).integers(0, 256, (11, 13)).astype(np.float32)
    values[0, 0], values[0, 1] = 0, 255
    framed = np.pad(values, 2)
    expected = [[np.median(framed[y : y + 5, x : x + 5]) for x in range(13)] for y in range(11)]
    found = median_filter(torch.from_numpy(values)[None, None], 5)[0, 0]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_a_layer_is_rounded_by_half_a_level_of_its_range_at_most() -> None:
    layers = torch.randn(1, 2, 20, 20, generator=torch.Generator().manual_seed(1))
    layers[:, 1] *= 1000
    framed = torch.nn.functional.pad(layers, (4, 4, 4, 4))
    windows = framed.unfold(2, 9, 1).unfold(3, 9, 1).reshape(1, 2, 20, 20, 81)
    exact = windows.median(-1).values
    level = (layers.amax((2, 3), keepdim=True) - layers.amin((2, 3), keepdim=True)) / 255
    assert bool(((median_filter(layers, 9) - exact).abs() <= 0.501 * level).all())


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=15)
def test_both_ways_agree(seed: int, height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 256, (2, 3, height, width), generator=generator).to(torch.uint8)
    border = torch.randint(0, 256, (2, 3, 1, 1), generator=generator).to(torch.uint8)
    framed = _bordered(levels, border, 4)
    assert torch.equal(_by_opencv(framed, 9), _by_sorting(framed, 9))


def test_flat_layers_stay_flat() -> None:
    assert torch.count_nonzero(median_filter(torch.zeros(1, 2, 9, 9), 9)) == 0
