"""Batch-hard triplet loss against a loop over anchors."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.losses import batch_hard_triplet

Distance = Literal["euclidean", "cosine"]


def between(a: torch.Tensor, b: torch.Tensor, distance: Distance) -> float:
    if distance == "cosine":
        return 1 - float(a @ b / (a.norm() * b.norm()))
    return math.sqrt(float(((a - b) ** 2).sum()) + 1e-12)


def naive(x: torch.Tensor, labels: torch.Tensor, margin: float, distance: Distance) -> float:
    x, found, terms = x.double(), labels.tolist(), []
    for a in range(len(x)):
        same = [p for p in range(len(x)) if p != a and found[p] == found[a]]
        other = [n for n in range(len(x)) if found[n] != found[a]]
        if same and other:
            positive = max(between(x[a], x[p], distance) for p in same)
            negative = min(between(x[a], x[n], distance) for n in other)
            terms.append(max(0.0, margin + positive - negative))
    return sum(terms) / len(terms) if terms else 0.0


@given(
    st.integers(1, 8),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.2, 2.0]),
    st.sampled_from(["euclidean", "cosine"]),
    st.integers(0, 9999),
)
@settings(max_examples=60)
def test_equals_a_loop(n: int, classes: int, margin: float, distance: Distance, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=generator)
    labels = torch.randint(classes, (n,), generator=generator)
    loss = batch_hard_triplet(x, labels, margin=margin, distance=distance)
    assert loss.item() == pytest.approx(naive(x, labels, margin, distance), rel=1e-5, abs=1e-5)


def test_hand_computed() -> None:
    x = torch.tensor([[0.0], [1.0], [3.0]])
    labels = torch.tensor([0, 0, 1])
    # Anchor 0: 1 - 3 + 2.5; anchor 1: 1 - 2 + 2.5; anchor 2 has no positive.
    assert batch_hard_triplet(x, labels, margin=2.5).item() == pytest.approx((0.5 + 1.5) / 2)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]], ids=["no negative", "no positive"])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_no_valid_triplet_is_exactly_zero(labels: list[int], distance: Distance) -> None:
    x = torch.randn(3, 4, requires_grad=True)
    loss = batch_hard_triplet(x, torch.tensor(labels), distance=distance)
    loss.backward()
    assert loss.item() == 0
    assert x.grad is not None
    assert x.grad.abs().max() == 0


def test_an_empty_batch_is_zero() -> None:
    x = torch.zeros(0, 4, requires_grad=True)
    loss = batch_hard_triplet(x, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_equal_and_zero_vectors_have_finite_gradients(distance: Distance) -> None:
    x = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 0]], requires_grad=True)
    batch_hard_triplet(x, torch.tensor([0, 0, 1, 1]), distance=distance).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    x = torch.nn.functional.normalize(torch.randn(8, 16), dim=1).to(dtype)
    labels = torch.arange(8) % 3
    with torch.autocast("cpu", torch.bfloat16):
        loss = batch_hard_triplet(x, labels, margin=0.2)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(naive(x, labels, 0.2, "euclidean"), rel=1e-5)
