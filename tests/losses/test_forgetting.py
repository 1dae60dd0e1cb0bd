"""Forgetting suppression against loops (Dr. CLIP Eq. 4)."""

from __future__ import annotations

import math

import pytest
import torch

from sbirctl.losses import distribution_shift, embedding_shift


def _softmax(row: list[float]) -> list[float]:
    total = sum(math.exp(z) for z in row)
    return [math.exp(z) / total for z in row]


def test_kl_equals_a_loop_with_the_frozen_side_first() -> None:
    generator = torch.Generator().manual_seed(1)
    trained, frozen = (torch.randn(4, 6, generator=generator) * 2 for _ in range(2))
    naive = 0.0
    for i in range(4):
        now, before = _softmax(trained[i].tolist()), _softmax(frozen[i].tolist())
        naive += sum(q * math.log(q / p) for p, q in zip(now, before, strict=True)) / (4 * 6)
    assert distribution_shift(trained, frozen).item() == pytest.approx(naive, abs=1e-6)
    assert distribution_shift(frozen, trained).item() != pytest.approx(naive, abs=1e-3)


def test_kl_by_hand() -> None:
    """Frozen (3/4, 1/4) against trained (1/2, 1/2), over one image and two classes."""
    frozen = torch.tensor([[math.log(3.0), 0.0]])
    expected = (0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2
    shift = distribution_shift(torch.zeros(1, 2), frozen)
    assert shift.item() == pytest.approx(expected, abs=1e-6)


def test_eq_4_as_printed_equals_a_loop() -> None:
    """KL(trained || frozen), the mean over images alone."""
    generator = torch.Generator().manual_seed(1)
    trained, frozen = (torch.randn(4, 6, generator=generator) * 2 for _ in range(2))
    naive = 0.0
    for i in range(4):
        now, before = _softmax(trained[i].tolist()), _softmax(frozen[i].tolist())
        naive += sum(p * math.log(p / q) for p, q in zip(now, before, strict=True)) / 4
    printed = distribution_shift(trained, frozen, "trained-frozen", "images")
    assert printed.item() == pytest.approx(naive, abs=1e-6)


def test_both_directions_and_means_by_hand() -> None:
    """Frozen (3/4, 1/4), trained (1/2, 1/2): KL of the one is not that of the other."""
    frozen, trained = torch.tensor([[math.log(3.0), 0.0]]), torch.zeros(1, 2)
    forward = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    backward = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    for direction, value in (("frozen-trained", forward), ("trained-frozen", backward)):
        for mean, size in (("classes", 2), ("images", 1)):
            found = distribution_shift(trained, frozen, direction, mean)
            assert found.item() == pytest.approx(value / size, abs=1e-6)


def test_agreement_costs_nothing() -> None:
    logits = torch.randn(3, 5, requires_grad=True)
    shift = distribution_shift(logits, logits.detach())
    shift.backward()
    assert shift.item() == 0.0
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.zeros(3, 5), atol=1e-7, rtol=0)


def test_confident_logits_stay_finite() -> None:
    trained = torch.tensor([[100.0, -100.0]], requires_grad=True)
    shift = distribution_shift(trained, torch.tensor([[-100.0, 100.0]]))
    shift.backward()
    assert shift.item() == pytest.approx(100.0)
    assert trained.grad is not None
    assert torch.isfinite(trained.grad).all()


def test_embedding_shift_equals_a_loop() -> None:
    generator = torch.Generator().manual_seed(2)
    trained, frozen = (torch.randn(3, 4, generator=generator) for _ in range(2))
    naive = 0.0
    for a, b in zip(trained.tolist(), frozen.tolist(), strict=True):
        pairs = zip(a, b, strict=True)
        naive += sum(abs(x / math.hypot(*a) - y / math.hypot(*b)) for x, y in pairs) / 12
    assert embedding_shift(trained, frozen).item() == pytest.approx(naive, abs=1e-6)


def test_embedding_shift_by_hand() -> None:
    """(1, 0) against (0, 1), any norm: both coordinates move by one."""
    shift = embedding_shift(torch.tensor([[5.0, 0.0]]), torch.tensor([[0.0, 0.1]]))
    assert shift.item() == pytest.approx(1.0)
