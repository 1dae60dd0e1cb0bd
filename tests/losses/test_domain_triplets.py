"""The three triplet terms against loops over anchors (FFMLN Eqs. 3, 4, 8)."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.losses import TERMS, HingeKind, TripletTerm, domain_triplets, hinge


def _hinge(x: float, kind: str) -> tuple[float, float]:
    if kind == "hard":
        return max(0.0, x), float(x > 0)
    return math.log(1 + math.exp(20 * x)) / 20, 1 / (1 + math.exp(-20 * x))


def _naive(
    x: torch.Tensor, labels: list[int], sketch: list[bool], term: str, kind: str, released: bool
) -> tuple[float, float, int]:
    rows = (x / x.norm(dim=1, keepdim=True)).tolist()
    losses, gradients = [], []
    for a, anchor in enumerate(rows):
        positive, negative = [], []
        for i, other in enumerate(rows):
            distance = math.sqrt(math.dist(anchor, other) ** 2 + 1e-12)
            same = sketch[i] == sketch[a]
            if labels[i] == labels[a] and (i != a or released) and same == (term == "sin"):
                positive.append(distance)
            if labels[i] != labels[a] and same == (term != "cro"):
                negative.append(distance)
        if positive and negative:
            value, slope = _hinge(max(positive) - min(negative) + 0.2, kind)
            losses.append(value)
            gradients.append(slope)
    count = len(rows) if released else len(losses)
    return sum(losses) / max(count, 1), sum(gradients) / max(count, 1), len(losses)


@given(
    st.integers(2, 9),
    st.integers(1, 3),
    st.integers(0, 10_000),
    st.sampled_from(TERMS),
    st.sampled_from(["soft", "hard"]),
    st.booleans(),
)
@settings(max_examples=80)
def test_equals_a_loop(
    n: int, classes: int, seed: int, term: TripletTerm, kind: HingeKind, released: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (n,), generator=generator)
    sketch = torch.randint(2, (n,), generator=generator).bool()
    made = domain_triplets(x, labels, sketch, terms=(term,), kind=kind, released_mining=released)
    loss, gradient, anchors = _naive(x, labels.tolist(), sketch.tolist(), term, kind, released)
    assert made[term].loss.item() == pytest.approx(loss, abs=1e-6)
    assert made[term].gradient.item() == pytest.approx(gradient, abs=1e-6)
    assert made[term].anchors.item() == anchors


def test_by_hand() -> None:
    """Angles 0, 60, 90 and 180 degrees on the circle; chords 1, sqrt 2, 2 and so on."""
    angles = torch.tensor([0.0, 60.0, 90.0, 180.0], dtype=torch.float64).deg2rad()
    x = torch.stack([angles.cos(), angles.sin()], 1)
    labels, sketch = torch.tensor([0, 0, 1, 1]), torch.tensor([True, False, True, False])
    made = domain_triplets(x, labels, sketch, kind="hard")

    def chord(degrees: float) -> float:
        return 2 * math.sin(math.radians(degrees) / 2)

    # mul: anchors 0, 1, 2, 3; positive of the other modality, negative of the anchor's
    pairs = [(60, 90), (60, 120), (90, 90), (90, 120)]
    mul = [max(0.0, chord(p) - chord(n) + 0.2) for p, n in pairs]
    assert made["mul"].loss.item() == pytest.approx(sum(mul) / 4, abs=1e-6)
    assert made["mul"].gradient.item() == pytest.approx(1 / 4)
    # cro: negatives of the other modality
    pairs = [(60, 180), (60, 30), (90, 30), (90, 180)]
    cro = [max(0.0, chord(p) - chord(n) + 0.2) for p, n in pairs]
    assert made["cro"].loss.item() == pytest.approx(sum(cro) / 4, abs=1e-6)
    assert made["cro"].gradient.item() == pytest.approx(2 / 4)
    # sin: one sketch and one photo a class, so nobody has a positive of their modality
    assert made["sin"].loss.item() == 0.0
    assert made["sin"].anchors.item() == 0


def test_the_gradient_is_what_autograd_finds() -> None:
    x = torch.linspace(-1, 1, 9, dtype=torch.float64, requires_grad=True)
    for kind in ("soft", "hard"):
        value, slope = hinge(x, kind)  # type: ignore[arg-type]
        (found,) = torch.autograd.grad(value.sum(), x)
        torch.testing.assert_close(slope.detach(), found)


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_no_triplet_gives_zero_and_a_finite_gradient(kind: HingeKind) -> None:
    x = torch.randn(4, 3, requires_grad=True)
    labels, sketch = torch.zeros(4, dtype=torch.int64), torch.tensor([True, True, False, False])
    made = domain_triplets(x, labels, sketch, kind=kind)
    total = torch.stack([term.loss for term in made.values()]).sum()
    total.backward()
    assert total.item() == 0.0
    assert [term.gradient.item() for term in made.values()] == [0.0] * 3
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros(4, 3))


def test_equal_embeddings_have_a_finite_gradient() -> None:
    x = torch.ones(8, 3, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1] * 2)
    sketch = torch.tensor([True] * 4 + [False] * 4)
    made = domain_triplets(x, labels, sketch)
    torch.stack([term.loss for term in made.values()]).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert made["sin"].anchors.item() == 8


def test_balanced_batches_give_every_anchor_every_triplet() -> None:
    """Four sketches and four photos of each class, as the sampler draws them."""
    labels = torch.arange(8).repeat_interleave(8)
    sketch = torch.tensor([True] * 4 + [False] * 4).repeat(8)
    made = domain_triplets(torch.randn(64, 16), labels, sketch)
    assert [made[t].anchors.item() for t in TERMS] == [64, 64, 64]
