"""Class logits and cross-entropy against loops (Dr. CLIP Eqs. 1-3, FFMLN Eq. 6, Semi3 Eq. 10)."""

from __future__ import annotations

import math

import pytest
import torch

from sbirctl.losses import class_logits, classification


def test_cross_entropy_equals_a_loop() -> None:
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)) * 3
    labels = torch.tensor([0, 4, 2, 2, 1, 3])
    naive = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        naive -= math.log(math.exp(row[label]) / sum(math.exp(z) for z in row)) / 6
    assert classification(logits, labels).item() == pytest.approx(naive, abs=1e-6)


def test_equal_logits_cost_the_logarithm_of_the_classes() -> None:
    loss = classification(torch.zeros(3, 8), torch.tensor([0, 3, 7]))
    assert loss.item() == pytest.approx(math.log(8), abs=1e-6)


def test_class_logits_by_hand() -> None:
    features = torch.tensor([[3.0, 4.0]])
    texts = torch.tensor([[2.0, 0.0], [0.0, 0.5]])
    torch.testing.assert_close(class_logits(features, texts), torch.tensor([[60.0, 80.0]]))
    torch.testing.assert_close(class_logits(features, texts, 0.5), torch.tensor([[1.2, 1.6]]))


def test_probabilities_of_eq_1() -> None:
    """Cosines 1 and 0 at t = 0.5: P = e^2 / (e^2 + 1)."""
    logits = class_logits(torch.tensor([[1.0, 0.0]]), torch.eye(2), 0.5)
    expected = -math.log(math.e**2 / (math.e**2 + 1))
    assert classification(logits, torch.tensor([0])).item() == pytest.approx(expected, abs=1e-6)
