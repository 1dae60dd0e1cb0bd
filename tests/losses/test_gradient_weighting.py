"""Gradient-based weighting by hand and by autograd, beside the released broadcast."""

from __future__ import annotations

import pytest
import torch

from sbirctl.losses import domain_triplets, gradient_weights, third_of_gradient, weighted_sum


def test_weights_by_hand() -> None:
    """Mean 0.3; 0.3 / 0.5, 0.3 / 0.39 and, clamped, 0.3 / 0.1."""
    weights = gradient_weights(torch.tensor([0.5, 0.39, 0.01]))
    torch.testing.assert_close(weights, torch.tensor([0.6, 0.3 / 0.39, 3.0]))


def test_terms_without_a_triplet_are_left_out_of_the_mean() -> None:
    """Two terms of gradient 1 beside an empty one weigh 1, not 2/3."""
    gradients, present = torch.tensor([0.0, 1.0, 1.0]), torch.tensor([False, True, True])
    assert gradient_weights(gradients, present=present)[1:].tolist() == [1.0, 1.0]
    torch.testing.assert_close(gradient_weights(gradients)[1:], torch.tensor([2 / 3, 2 / 3]))
    losses = torch.tensor([0.0, 2.0, 5.0])
    assert weighted_sum(losses, gradients, present=present).item() == pytest.approx(7)
    none = torch.zeros(3, dtype=torch.bool)
    assert weighted_sum(torch.zeros(3), torch.zeros(3), present=none).item() == 0


def test_a_third_of_the_gradient_is_that_of_the_authors_concatenation() -> None:
    """Their loss of one term: relu of the term and two detached copies, mean over all 3 n."""
    x = torch.tensor([0.5, -0.2, 0.1], requires_grad=True)
    term = x.relu().mean()
    found = third_of_gradient(term)
    (gradient,) = torch.autograd.grad(found, x)
    authors = torch.cat([x, x.detach(), x.detach()]).relu().mean(-1).sum()
    (expected,) = torch.autograd.grad(authors, x)
    assert found.item() == pytest.approx(authors.item())
    torch.testing.assert_close(gradient, expected)


def test_sum_by_hand() -> None:
    losses, gradients = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 0.39, 0.01])
    expected = 0.6 + 2 * 0.3 / 0.39 + 9
    assert weighted_sum(losses, gradients).item() == pytest.approx(expected)
    assert weighted_sum(losses, gradients, "none").item() == pytest.approx(6.0)


def test_released_broadcast_multiplies_the_sum_of_weights_by_the_mean_loss() -> None:
    losses, gradients = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 0.39, 0.01])
    weights = gradient_weights(gradients)
    outer = (losses * weights[:, None]).mean(-1).sum()  # the statement of the authors' code
    assert weighted_sum(losses, gradients, "released").item() == pytest.approx(outer.item())
    assert outer.item() == pytest.approx((0.6 + 0.3 / 0.39 + 3) * 2)


def test_all_solved_gives_zero() -> None:
    losses = torch.zeros(3, requires_grad=True)
    total = weighted_sum(losses, torch.zeros(3))
    total.backward()
    assert total.item() == 0.0
    assert losses.grad is not None
    assert losses.grad.tolist() == [0.0] * 3


def test_weights_carry_no_gradient() -> None:
    """What reaches an embedding is the sum of the terms' own gradients, each times its weight."""
    x = torch.randn(16, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.arange(16) // 4
    sketch = torch.arange(16) % 2 == 0
    terms = domain_triplets(x, labels, sketch).values()
    losses = torch.stack([t.loss for t in terms])
    gradients = torch.stack([t.gradient for t in terms])
    weights = gradient_weights(gradients)
    assert not weights.requires_grad
    own = [torch.autograd.grad(loss, x, retain_graph=True)[0] for loss in losses]
    expected = sum(w * g for w, g in zip(weights, own, strict=True))
    (whole,) = torch.autograd.grad(weighted_sum(losses, gradients), x, retain_graph=True)
    torch.testing.assert_close(whole, expected)
    (released,) = torch.autograd.grad(weighted_sum(losses, gradients, "released"), x)
    assert not torch.allclose(released, weights.sum() * sum(own) / 3)  # its weights do


def test_without_a_floor_every_term_pulls_alike() -> None:
    """The point of the weighting: weight times gradient is the same for all terms."""
    gradients = torch.tensor([0.9, 0.5, 0.2])
    torch.testing.assert_close(gradient_weights(gradients) * gradients, gradients.mean().expand(3))


def test_no_term_gives_zero() -> None:
    assert weighted_sum(torch.zeros(0), torch.zeros(0)).item() == 0.0
    assert weighted_sum(torch.zeros(0), torch.zeros(0), "released").item() == 0.0
