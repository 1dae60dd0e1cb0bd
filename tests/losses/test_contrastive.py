"""Contrastive and alignment losses against loops (Semi3-Net Eqs. 8, 9, 11)."""

from __future__ import annotations

import math

import pytest
import torch

from sbirctl.losses import alignment, contrastive


def test_contrastive_equals_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(8, 3, generator=generator) / 4 for _ in range(2))
    same = torch.tensor([True, False] * 4)
    naive = 0.0
    for x, y, pair in zip(a.tolist(), b.tolist(), same.tolist(), strict=True):
        distance = math.sqrt(math.dist(x, y) ** 2 + 1e-12)
        naive += (distance if pair else max(0.0, 0.3 - distance)) / 8
    assert contrastive(a, b, same).item() == pytest.approx(naive, abs=1e-6)


def test_contrastive_by_hand() -> None:
    """Distances 5 (one class), 0.1 and 5 (two classes): (5 + 0.2 + 0) / 3; nothing is squared."""
    a = torch.zeros(3, 2)
    b = torch.tensor([[3.0, 4.0], [0.1, 0.0], [3.0, 4.0]])
    loss = contrastive(a, b, torch.tensor([True, False, False]))
    assert loss.item() == pytest.approx(5.2 / 3)


def test_squared_contrastive_by_hand() -> None:
    """Distances 5 (one class), 0.1 and 5 (two classes): (25 + 0.2^2 + 0) / 3."""
    a = torch.zeros(3, 2)
    b = torch.tensor([[3.0, 4.0], [0.1, 0.0], [3.0, 4.0]])
    loss = contrastive(a, b, torch.tensor([True, False, False]), squared=True)
    assert loss.item() == pytest.approx(25.04 / 3)


def test_squared_terms_push_a_near_negative_more_than_they_pull_a_near_positive() -> None:
    """As printed both forces are 1 at every distance below the margin."""
    forces = {}
    for squared in (False, True):
        for same in (True, False):
            a = torch.tensor([[0.1, 0.0]], requires_grad=True)
            contrastive(a, torch.zeros(1, 2), torch.tensor([same]), squared=squared).backward()
            forces[squared, same] = a.grad[0, 0].item()
    assert forces[False, True] == pytest.approx(1, abs=1e-4)
    assert forces[False, False] == pytest.approx(-1, abs=1e-4)
    assert forces[True, True] == pytest.approx(2 * 0.1, abs=1e-4)
    assert forces[True, False] == pytest.approx(-2 * 0.2, abs=1e-4)


def test_contrastive_gradient_is_finite_where_a_pair_coincides() -> None:
    a = torch.ones(2, 3, requires_grad=True)
    loss = contrastive(a, torch.ones(2, 3), torch.tensor([True, False]))
    loss.backward()
    assert loss.item() == pytest.approx(0.15, abs=1e-5)
    assert a.grad is not None
    assert torch.isfinite(a.grad).all()


def test_alignment_equals_a_loop() -> None:
    generator = torch.Generator().manual_seed(1)
    photo, edge = (torch.randn(5, 4, generator=generator) for _ in range(2))
    rows = zip(photo.tolist(), edge.tolist(), strict=True)
    naive = sum(math.dist(x, y) ** 2 for x, y in rows) / 5
    assert alignment(photo, edge).item() == pytest.approx(naive, rel=1e-6)


def test_alignment_by_hand() -> None:
    photo, edge = torch.zeros(2, 2), torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    assert alignment(photo, edge).item() == pytest.approx(13.0)
