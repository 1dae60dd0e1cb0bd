"""What every loss of the papers holds: half precision, empty batches, finite gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sbirctl.losses import (
    alignment,
    class_logits,
    classification,
    contrastive,
    cosine_triplet,
    distribution_shift,
    domain_balanced_quadruplet,
    domain_triplets,
    embedding_shift,
    pair_relation,
    weighted_sum,
)

DIM = 6


def _labels(x: Tensor) -> Tensor:
    return torch.arange(len(x)) % 3


def _triplets(x: Tensor, _y: Tensor) -> Tensor:
    terms = domain_triplets(x, _labels(x), torch.arange(len(x)) % 2 == 0).values()
    losses = torch.stack([t.loss for t in terms])
    return weighted_sum(losses, torch.stack([t.gradient for t in terms]), "none")


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "classification": lambda x, _: classification(x, _labels(x)),
    "class_logits": lambda x, _: classification(
        class_logits(x, torch.eye(DIM).to(x), 0.1), _labels(x)
    ),
    "distribution_shift": distribution_shift,
    "embedding_shift": embedding_shift,
    "cosine_triplet": lambda x, y: cosine_triplet(x, y, y.roll(1, 0)),
    "quadruplet": lambda x, y: domain_balanced_quadruplet(x, y, y.roll(1, 0), x.roll(1, 0)),
    "pair_relation": lambda x, y: pair_relation(x, y, _labels(x), _labels(y)),
    "pair_relation_centred": lambda x, y: pair_relation(x, y, _labels(x), _labels(y), center=True),
    "domain_triplets": _triplets,
    "contrastive": lambda x, y: contrastive(x, y, _labels(x) == 0),
    "alignment": alignment,
}


def _pair(n: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, DIM, generator=generator), torch.randn(n, DIM, generator=generator)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    x, y = (v.to(dtype) for v in _pair())
    loss = LOSSES[name](x, y)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, LOSSES[name](x.float(), y.float()))


@pytest.mark.parametrize("name", LOSSES)
def test_mixed_precision_changes_nothing(name: str) -> None:
    x, y = _pair()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = LOSSES[name](x, y)
    torch.testing.assert_close(loss, LOSSES[name](x, y))


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_finite_and_reaches_the_input(name: str) -> None:
    x, y = _pair()
    x.requires_grad_()
    LOSSES[name](x, y).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gradient_is_finite_for_equal_and_zero_vectors(name: str, value: float) -> None:
    x = torch.full((6, DIM), value, requires_grad=True)
    LOSSES[name](x, torch.full((6, DIM), value)).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_batch_costs_exactly_nothing(name: str) -> None:
    x = torch.zeros(0, DIM, requires_grad=True)
    loss = LOSSES[name](x, torch.zeros(0, DIM))
    loss.backward()
    assert loss.item() == 0.0


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_agrees_with_finite_differences(name: str) -> None:
    x, y = (v.double() for v in _pair(6))
    assert torch.autograd.gradcheck(LOSSES[name], (x.requires_grad_(), y))
