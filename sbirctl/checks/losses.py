"""What every loss keeps to that is taken by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sbirctl.checks import require
from sbirctl.losses import LOSSES, Loss

DIM, COUNT, CLASSES = 8, 24, 4


@dataclass(frozen=True)
class LossSubject:
    """A registered loss, by its name."""

    name: str

    def make(self) -> Loss:
        """It for 8 numbers and 4 classes, the same each time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return LOSSES.get(self.name).of(DIM, CLASSES)


def batch(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings that ask for a gradient, labels, and which rows are sketches."""
    made = torch.randn(COUNT, DIM, generator=torch.Generator().manual_seed(1)).to(dtype)
    labels = torch.arange(COUNT) % CLASSES
    return made.requires_grad_(), labels, torch.arange(COUNT) % 3 == 0


def _run(loss: Loss, embeddings: Tensor, labels: Tensor, sketch: Tensor | None) -> Tensor:
    """The value, after its gradient was looked at."""
    value: Tensor = loss(embeddings, labels, sketch)
    require(isinstance(value, Tensor) and value.ndim == 0, "it is no scalar")
    require(torch.isfinite(value), f"it is {float(value.detach())}")
    require(value.requires_grad, "it has no gradient")
    value.backward()
    gradient = embeddings.grad
    require(gradient is None or torch.isfinite(gradient).all(), "a gradient is not finite")
    return value


def gives_a_gradient(subject: LossSubject) -> None:
    """It is a finite scalar whose gradient reaches the embeddings and its own parameters."""
    loss = subject.make()
    embeddings, labels, sketch = batch()
    _run(loss, embeddings, labels, sketch)
    require(embeddings.grad is not None, "no gradient reaches the embeddings")
    reached = embeddings.grad is not None and bool(embeddings.grad.abs().max() > 0)
    require(reached, "no gradient reaches the embeddings")
    for name, parameter in loss.named_parameters():
        moved = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        require(moved, f"no gradient reaches {name}")


def one_modality_is_enough(subject: LossSubject) -> None:
    """It takes a batch without `is_sketch`."""
    embeddings, labels, _ = batch()
    _run(subject.make(), embeddings, labels, None)


def nothing_to_learn_from_is_no_error(subject: LossSubject) -> None:
    """Batches of one item, one class, no two of a class or nothing give a finite value."""
    embeddings, labels, sketch = batch()
    for rows in (slice(0, 1), slice(0, COUNT, CLASSES), slice(0, CLASSES), slice(0, 0)):
        some = embeddings.detach()[rows].requires_grad_()
        _run(subject.make(), some, labels[rows], sketch[rows])


def equal_embeddings_have_finite_gradients(subject: LossSubject) -> None:
    """Embeddings that are all equal, or zero, have a finite gradient."""
    _, labels, sketch = batch()
    for value in (1.0, 0.0):
        _run(subject.make(), torch.full((COUNT, DIM), value, requires_grad=True), labels, sketch)


def the_order_does_not_matter(subject: LossSubject) -> None:
    """The order of a batch does not matter."""
    loss = subject.make()
    embeddings, labels, sketch = batch()
    turned = torch.arange(COUNT).flip(0)
    first = loss(embeddings, labels, sketch)
    second = loss(embeddings[turned], labels[turned], sketch[turned])
    require(
        torch.allclose(first, second, atol=1e-5),
        f"{float(first.detach()):.6f} and, the other way round, {float(second.detach()):.6f}",
    )


def half_precision_is_computed_in_float32(subject: LossSubject) -> None:
    """Embeddings in bfloat16 give a float32 value near the exact one."""
    embeddings, labels, sketch = batch()
    exact = subject.make()(embeddings, labels, sketch)
    rounded = subject.make()(*batch(torch.bfloat16))
    require(rounded.dtype == torch.float32, f"it is {rounded.dtype}")
    near = torch.allclose(exact, rounded, rtol=0.05, atol=0.05)
    require(near, f"{float(exact.detach()):.4f}, in bfloat16 {float(rounded.detach()):.4f}")


CHECKS: tuple[Callable[[LossSubject], None], ...] = (
    gives_a_gradient,
    one_modality_is_enough,
    nothing_to_learn_from_is_no_error,
    equal_embeddings_have_finite_gradients,
    the_order_does_not_matter,
    half_precision_is_computed_in_float32,
)
