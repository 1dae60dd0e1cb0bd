"""Normalised softmax against a loop over images and classes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.losses import normalised_softmax


def naive(embeddings: torch.Tensor, proxies: torch.Tensor, labels: torch.Tensor, t: float) -> float:
    total = 0.0
    for x, y in zip(embeddings.double(), labels.tolist(), strict=True):
        scores = [float(x @ p / (x.norm() * p.norm())) / t for p in proxies.double()]
        total -= scores[y] - math.log(sum(math.exp(s) for s in scores))
    return total / len(labels)


def draw(n: int, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(n, 5, generator=generator)
    proxies = 3 * torch.randn(classes, 5, generator=generator)
    return embeddings, proxies, torch.randint(classes, (n,), generator=generator)


@given(
    st.integers(1, 7), st.integers(1, 6), st.sampled_from([0.05, 0.5, 1.0]), st.integers(0, 9999)
)
@settings(max_examples=40)
def test_equals_a_loop(n: int, classes: int, temperature: float, seed: int) -> None:
    drawn = draw(n, classes, seed)
    loss = normalised_softmax(*drawn, temperature=temperature)
    assert loss.item() == pytest.approx(naive(*drawn, temperature), rel=1e-5, abs=1e-5)


def test_hand_computed() -> None:
    embeddings = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    proxies = torch.tensor([[1.0, 0.0], [0.0, 5.0]])
    right = normalised_softmax(embeddings, proxies, torch.tensor([0, 1]), temperature=1.0)
    wrong = normalised_softmax(embeddings, proxies, torch.tensor([1, 0]), temperature=1.0)
    assert right.item() == pytest.approx(math.log(1 + math.exp(-1)))
    assert wrong.item() == pytest.approx(math.log(1 + math.exp(1)))


def test_the_temperature_is_the_papers_by_default() -> None:
    drawn = draw(4, 3, 0)
    assert normalised_softmax(*drawn) == normalised_softmax(*drawn, temperature=0.05)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    embeddings, proxies, labels = draw(6, 4, 1)
    embeddings = embeddings.to(dtype)
    expected = naive(embeddings, proxies, labels, 0.05)
    with torch.autocast("cpu", torch.bfloat16):
        loss = normalised_softmax(embeddings, proxies, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_zero_vectors_and_empty_batches_have_finite_gradients() -> None:
    embeddings = torch.zeros(2, 3, requires_grad=True)
    proxies = torch.randn(4, 3, requires_grad=True)
    normalised_softmax(embeddings, proxies, torch.tensor([0, 3])).backward()
    assert embeddings.grad is not None
    assert torch.isfinite(embeddings.grad).all()
    empty = normalised_softmax(embeddings[:0], proxies, torch.zeros(0, dtype=torch.int64))
    assert empty.item() == 0
    empty.backward()
