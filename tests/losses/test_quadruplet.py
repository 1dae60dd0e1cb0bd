"""Cosine triplets and quadruplets against loops (Dr. CLIP Eqs. 6-8, CLIP-all)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sbirctl.losses import cosine_triplet, domain_balanced_quadruplet


def _four(seed: int = 0, n: int = 6) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 5, generator=generator) for _ in range(4)]


def _sim(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def test_quadruplet_equals_a_loop() -> None:
    four = _four()
    naive = 0.0
    for a, p, photo, sketch in zip(*(x.tolist() for x in four), strict=True):
        for negative in (photo, sketch):
            naive += max(0.0, _sim(a, negative) - _sim(a, p) + 0.3) / 6
    assert domain_balanced_quadruplet(*four).item() == pytest.approx(naive, abs=1e-6)


def test_by_hand() -> None:
    """sim(a, p) = 0.6, sim(a, photo) = 0.8, sim(a, sketch) = 0: 0.5 + 0."""
    a, p = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    photo, sketch = torch.tensor([[8.0, 6.0]]), torch.tensor([[0.0, 2.0]])
    assert cosine_triplet(a, p, photo, 0.3).item() == pytest.approx(0.5)
    assert cosine_triplet(a, p, sketch, 0.3).item() == 0.0
    assert domain_balanced_quadruplet(a, p, photo, sketch).item() == pytest.approx(0.5)


def test_clip_all_is_the_triplet_of_one_minus_cosine() -> None:
    a, p, n, _ = _four(3)
    reference = nn.TripletMarginWithDistanceLoss(
        distance_function=lambda x, y: 1 - nn.functional.cosine_similarity(x, y), margin=0.2
    )
    torch.testing.assert_close(cosine_triplet(a, p, n), reference(a, p, n))


def test_a_step_down_the_gradient_pulls_the_positive_and_pushes_both_negatives() -> None:
    """The printed signs would do the opposite."""
    four = [x.requires_grad_() for x in _four(4)]
    domain_balanced_quadruplet(*four, margin=3.0).backward()
    moved = [(x - 0.1 * x.grad).detach() for x in four]  # type: ignore[operator]

    def similarity(x: list[torch.Tensor], i: int) -> float:
        return nn.functional.cosine_similarity(x[0], x[i]).mean().item()

    before = [x.detach() for x in four]
    assert similarity(moved, 1) > similarity(before, 1)
    assert similarity(moved, 2) < similarity(before, 2)
    assert similarity(moved, 3) < similarity(before, 3)
