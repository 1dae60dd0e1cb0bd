"""Relation pair loss against a loop (Dr. CLIP Eqs. 9-11)."""

from __future__ import annotations

import math

import pytest
import torch

from sbirctl.losses import pair_relation


def _batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sketches, photos = (torch.randn(n, 6, generator=generator) + 2 for n in (5, 4))
    return sketches, photos, torch.tensor([0, 1, 2, 1, 0]), torch.tensor([0, 1, 1, 3])


def _naive(s: list[list[float]], p: list[list[float]], ls: list[int], lp: list[int]) -> float:
    total = 0.0
    for a, i in zip(s, ls, strict=True):
        for b, j in zip(p, lp, strict=True):
            dot = sum(x * y for x, y in zip(a, b, strict=True))
            score = 1 / (1 + math.exp(-dot / math.hypot(*a) / math.hypot(*b)))
            total += (score - (i == j)) ** 2
    return total / len(s) / len(p)


def test_equals_a_loop() -> None:
    s, p, ls, lp = _batch()
    naive = _naive(s.tolist(), p.tolist(), ls.tolist(), lp.tolist())
    assert pair_relation(s, p, ls, lp).item() == pytest.approx(naive, abs=1e-6)


def test_centred_equals_a_loop() -> None:
    s, p, ls, lp = _batch()
    mean = (s.double().sum(0) + p.double().sum(0)) / 9
    naive = _naive(
        (s.double() - mean).tolist(), (p.double() - mean).tolist(), ls.tolist(), lp.tolist()
    )
    assert pair_relation(s, p, ls, lp, center=True).item() == pytest.approx(naive, abs=1e-6)


def test_by_hand() -> None:
    """Parallel vectors of one class: (1 - sigmoid(1))^2. Of two classes: sigmoid(1)^2."""
    vector, zero, one = torch.tensor([[1.0, 2.0]]), torch.tensor([0]), torch.tensor([1])
    high = 1 / (1 + math.exp(-1))
    assert pair_relation(vector, 3 * vector, zero, zero).item() == pytest.approx((1 - high) ** 2)
    assert pair_relation(vector, 3 * vector, zero, one).item() == pytest.approx(high**2)


def test_it_carries_gradient() -> None:
    s, p, ls, lp = _batch()
    s.requires_grad_()
    pair_relation(s, p, ls, lp).backward()
    assert s.grad is not None
    assert s.grad.abs().sum() > 0


def test_temperature_does_not_matter() -> None:
    s, p, ls, lp = _batch()
    for center in (False, True):
        torch.testing.assert_close(
            pair_relation(100 * s, 100 * p, ls, lp, center=center),
            pair_relation(s, p, ls, lp, center=center),
        )
