"""SpLIP's adaptive margin and conditional jigsaw against loops and by hand."""

from __future__ import annotations

import math

import pytest
import torch

from sbirctl.losses import adaptive_triplet, conditional_jigsaw, text_margin


def _sim(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def _logits(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_margin_by_hand() -> None:
    """Texts at 60 degrees, and one text beside itself."""
    one = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    other = torch.tensor([[1.0, math.sqrt(3)], [3.0, 4.0]])
    assert text_margin(one, other).tolist() == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize("distance", ["squared", "cosine"])
def test_triplet_equals_a_loop(distance) -> None:
    a, p, n = (_logits(7, 5, seed=seed) for seed in range(3))
    margin = torch.linspace(-0.5, 1.0, 7)
    naive = 0.0
    for x, y, z, m in zip(a.tolist(), p.tolist(), n.tolist(), margin.tolist(), strict=True):
        near, far = 1 - _sim(x, y), 1 - _sim(x, z)
        if distance == "squared":
            near, far = 2 * near, 2 * far
        naive += max(0.0, near - far + m) / 7
    assert adaptive_triplet(a, p, n, margin, distance).item() == pytest.approx(naive, abs=1e-6)
    assert naive > 0


def test_squared_distance_is_that_of_unit_vectors() -> None:
    a, p, n = (torch.nn.functional.normalize(_logits(1, 5, seed=s)) for s in range(3))
    apart = (a - p).square().sum() - (a - n).square().sum()
    found = adaptive_triplet(a, p, n, torch.tensor([5.0]))
    torch.testing.assert_close(found, apart + 5.0)


def test_classes_of_like_names_have_to_be_farther_apart() -> None:
    a, p, n = (_logits(4, 5, seed=seed) for seed in range(3))
    low, high = (adaptive_triplet(a, p, n, torch.full((4,), m)) for m in (0.1, 0.9))
    assert high.item() > low.item()


def test_jigsaw_by_hand() -> None:
    """Three logits (0, 0) cost ln 2; the right photo's (0, ln 3) cost ln 4 against order 0."""
    even, worse = torch.zeros(1, 2), torch.tensor([[0.0, math.log(3)]])
    order = torch.tensor([0])
    found = conditional_jigsaw(even, even, even, order).item()
    assert found == pytest.approx(math.log(2))
    hindered = conditional_jigsaw(even, worse, even, order).item()
    assert hindered == pytest.approx(math.log(2) + math.log(4) - math.log(2))
    helped = conditional_jigsaw(even, even, worse, order).item()
    assert helped == pytest.approx(math.log(2))


def test_jigsaw_equals_a_loop() -> None:
    parts = [_logits(6, 4, seed=seed) for seed in range(3)]
    order = torch.tensor([0, 3, 1, 2, 2, 0])

    def entropy(row: list[float], at: int) -> float:
        return math.log(sum(math.exp(v) for v in row)) - row[at]

    naive = 0.0
    for rows, at in zip(
        zip(*(p.tolist() for p in parts), strict=True), order.tolist(), strict=True
    ):
        own, right, wrong = (entropy(row, at) for row in rows)
        naive += (own + max(0.0, right - wrong)) / 6
    assert conditional_jigsaw(*parts, order).item() == pytest.approx(naive, rel=1e-5)
