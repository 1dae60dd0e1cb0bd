"""Relative distances and their divergence over categories against loops (CLIP-AT)."""

from __future__ import annotations

import math

import pytest
import torch

from sbirctl.losses import category_divergence, clipat_objective, relative_distance


def _softmax(values: list[float]) -> list[float]:
    powers = [math.exp(v) for v in values]
    return [p / sum(powers) for p in powers]


def _kl(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def test_relative_distance_is_how_much_farther_the_positive_is() -> None:
    """d(s, p) = 1 - 0.6, d(s, n) = 1 - 0.8."""
    s, p = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    n = torch.tensor([[8.0, 6.0]])
    assert relative_distance(s, p, n).item() == pytest.approx(0.2)


def test_divergence_by_hand() -> None:
    """Softmax of (0, ln 3) is (1/4, 3/4), of (0, 0) is (1/2, 1/2)."""
    relative = torch.tensor([0.0, math.log(3), 0.0, 0.0])
    there = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    back = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    found = category_divergence(relative, torch.tensor([5, 5, 2, 2]), 2)
    assert found.item() == pytest.approx((there + back) / 2)


@pytest.mark.parametrize("order", ["drawn", "sorted"])
def test_divergence_equals_a_loop_over_ordered_pairs(order) -> None:
    generator = torch.Generator().manual_seed(1)
    relative = torch.rand(17, generator=generator) * 4 - 2
    category = torch.randint(4, (17,), generator=generator)
    of: dict[int, list[float]] = {}
    for value, one in zip(relative.tolist(), category.tolist(), strict=True):
        of.setdefault(one, []).append(value)
    kept = [values[:3] for values in of.values() if len(values) >= 3]
    assert 2 < len(kept) <= 4
    shares = [_softmax(sorted(v) if order == "sorted" else v) for v in kept]
    pairs = [(a, b) for i, a in enumerate(shares) for j, b in enumerate(shares) if i != j]
    naive = sum(_kl(a, b) for a, b in pairs) / len(pairs)
    found = category_divergence(relative, category, 3, order)
    assert found.item() == pytest.approx(naive, rel=1e-5)
    assert naive > 0.01


def test_divergence_is_of_float32_in_half_precision_too() -> None:
    relative = 0.03 * torch.randn(32, generator=torch.Generator().manual_seed(0))
    category = torch.arange(32) // 4
    wanted = category_divergence(relative, category, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = category_divergence(relative, category, 4)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted)
    assert wanted.item() < 0.004  # less than bfloat16 tells from 0 beside the sums of 1.4


def test_alike_categories_and_a_lone_one_do_not_diverge() -> None:
    relative = torch.tensor([0.1, 0.5, 0.1, 0.5, -1.0], requires_grad=True)
    category = torch.tensor([0, 0, 1, 1, 2])
    assert category_divergence(relative, category, 2).item() == pytest.approx(0.0, abs=1e-7)
    turned = torch.tensor([0.1, 0.5, 0.5, 0.1])
    assert category_divergence(turned, category[:4], 2).item() > 0.01
    assert category_divergence(turned, category[:4], 2, "sorted").item() == pytest.approx(0.0)
    alone = category_divergence(relative, torch.zeros(5, dtype=torch.long), 2)
    alone.backward()
    assert alone.item() == 0.0


def test_a_step_down_the_gradient_makes_categories_more_alike() -> None:
    relative = torch.tensor([0.3, -0.4, 0.2, 1.1, 0.0, -0.9], requires_grad=True)
    category = torch.tensor([0, 0, 0, 1, 1, 1])
    before = category_divergence(relative, category, 3)
    before.backward()
    assert relative.grad is not None
    after = category_divergence((relative - relative.grad).detach(), category, 3)
    assert after.item() < before.item()


def test_objective_weights_the_terms_there_are() -> None:
    one = torch.tensor(1.0)
    assert clipat_objective({"triplet": 2 * one}).item() == 2.0
    terms = {"triplet": 2 * one, "cls_sketch": one, "cls_photo": 3 * one}
    assert clipat_objective(terms).item() == 4.0
    terms |= {"divergence": 10 * one, "shuffle": 7 * one}
    assert clipat_objective(terms, divergence=0.1, shuffle=1.0).item() == pytest.approx(12.0)
