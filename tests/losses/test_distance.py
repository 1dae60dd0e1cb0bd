"""Distances against plain loops, and their behaviour at zero, in half and mixed precision."""

from __future__ import annotations

import math

import pytest
import torch

from sbirctl.losses import cosine, euclidean, mean_or_zero, pairwise_cosine, pairwise_euclidean


def _rows(n: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(n, 7, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_pairwise_euclidean_equals_a_loop() -> None:
    a, b = _rows(5, 0), _rows(4, 1)
    ours = pairwise_euclidean(a, b)
    for i in range(5):
        for j in range(4):
            squared = sum((x - y) ** 2 for x, y in zip(a[i].tolist(), b[j].tolist(), strict=True))
            assert ours[i, j].item() == pytest.approx(math.sqrt(squared + 1e-12), abs=1e-6)
    torch.testing.assert_close(euclidean(a[:4], b), ours[:4].diagonal())


def test_cosine_equals_a_loop() -> None:
    a, b = _rows(3, 2), _rows(3, 3)
    ours = pairwise_cosine(a, b)
    for i in range(3):
        for j in range(3):
            x, y = a[i].tolist(), b[j].tolist()
            product = sum(p * q for p, q in zip(x, y, strict=True))
            expected = product / math.hypot(*x) / math.hypot(*y)
            assert ours[i, j].item() == pytest.approx(expected, abs=1e-6)
    torch.testing.assert_close(cosine(a, b), ours.diagonal())


def test_three_four_five() -> None:
    a, b = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert euclidean(a, b).item() == pytest.approx(5.0)
    assert pairwise_euclidean(a, b).item() == pytest.approx(5.0)


def test_gradient_is_finite_at_distance_zero() -> None:
    x = _rows(4, 4).requires_grad_()
    (pairwise_euclidean(x, x).sum() + euclidean(x, x.detach().clone()).sum()).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_small_distances_survive_large_vectors() -> None:
    """The expansion |a|^2 + |b|^2 - 2ab gives 0 or noise here."""
    a = torch.full((1, 4), 1000.0)
    b = a.clone()
    b[0, 0] += 0.5
    assert pairwise_euclidean(a, b).item() == pytest.approx(0.5)


def test_gradient_of_pairwise_euclidean() -> None:
    a, b = _rows(3, 5, torch.float64), _rows(2, 6, torch.float64)
    assert torch.autograd.gradcheck(pairwise_euclidean, (a.requires_grad_(), b.requires_grad_()))


def test_mixed_precision_does_not_round_cosines() -> None:
    a, b = _rows(6, 7), _rows(6, 8)
    exact = pairwise_cosine(a, b)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(pairwise_cosine(a, b), exact, rtol=0, atol=0)
        assert (a @ b.T).dtype == torch.bfloat16  # a plain product would be rounded


def test_mean_counts_the_valid_entries_only() -> None:
    values = torch.tensor([1.0, 2.0, 40.0], requires_grad=True)
    mean = mean_or_zero(values, torch.tensor([True, True, False]))
    assert mean.item() == 1.5
    mean.backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0.5, 0.5, 0.0]
    assert mean_or_zero(values).item() == pytest.approx(43 / 3)


def test_mean_of_nothing_is_zero_and_connected() -> None:
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    mean = mean_or_zero(values, torch.zeros(2, dtype=torch.bool))
    mean.backward()
    assert mean.item() == 0.0
    assert values.grad is not None
    assert values.grad.tolist() == [0.0, 0.0]
    assert mean_or_zero(torch.zeros(0)).item() == 0.0
