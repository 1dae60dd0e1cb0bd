"""Cells of a picture change places as they are told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sbirctl.core.errors import UsageError
from sbirctl.models import create
from sbirctl.models.layers.patch_shuffle import shuffle_patches, two_orders


def test_by_hand() -> None:
    """Four cells of one pixel, each to where the next one was."""
    picture = torch.tensor([[[[1, 2], [3, 4]]]])
    found = shuffle_patches(picture, torch.tensor([1, 2, 3, 0]), 2)
    assert found.tolist() == [[[[2, 3], [4, 1]]]]


@pytest.mark.parametrize(("grid", "side"), [(2, 8), (3, 9), (3, 11)])
def test_cell_k_is_the_ordered_cell_of_the_picture(grid: int, side: int) -> None:
    """A loop over cells, each picture in an order of its own; what is left over stays."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(3, 2, side, side, generator=generator)
    orders = torch.stack([torch.randperm(grid * grid, generator=generator) for _ in range(3)])
    found = shuffle_patches(pictures, orders, grid)
    size = side // grid
    for n in range(3):
        for k in range(grid * grid):
            to, of = divmod(k, grid), divmod(int(orders[n, k]), grid)
            new, old = (
                (slice(row * size, (row + 1) * size), slice(col * size, (col + 1) * size))
                for row, col in (to, of)
            )
            assert torch.equal(found[n][:, new[0], new[1]], pictures[n][:, old[0], old[1]])
    edge = grid * size
    assert torch.equal(found[:, :, edge:], pictures[:, :, edge:])
    assert torch.equal(found[:, :, :, edge:], pictures[:, :, :, edge:])
    assert not torch.equal(found, pictures)


def test_the_identity_changes_nothing_and_the_inverse_undoes() -> None:
    pictures = torch.rand(2, 3, 6, 6)
    assert torch.equal(shuffle_patches(pictures, torch.arange(9), 3), pictures)
    order = torch.tensor([4, 0, 8, 1, 3, 7, 6, 2, 5])
    there = shuffle_patches(pictures, order, 3)
    assert torch.equal(shuffle_patches(there, order.argsort(), 3), pictures)


def test_two_orders_are_never_the_same_and_reach_all() -> None:
    seen = set()
    for seed in range(300):
        first, second = two_orders(np.random.default_rng(seed), 4)
        assert sorted(first.tolist()) == sorted(second.tolist()) == [0, 1, 2, 3]
        assert not torch.equal(first, second)
        seen.add(tuple(first.tolist()))
    assert len(seen) == 24


@pytest.mark.parametrize(("name", "key"), [("clipat", "shuffle_grid"), ("splip", "jigsaw_grid")])
def test_cells_of_less_than_a_pixel_are_refused(name: str, key: str) -> None:
    layers = [{"preset": "small", key: 33}]
    with pytest.raises(UsageError, match=f"{key}=33 cells do not fit in a row of 32") as found:
        create(name, device="cpu", weights="none", layers=layers)
    assert found.value.hint == "Take 32 or fewer."
