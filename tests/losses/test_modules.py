"""The losses as modules, and by name in a training."""

import pytest
import torch
from torch.nn import functional as F

from sbirctl import losses
from sbirctl.core.errors import UsageError
from sbirctl.losses import (
    LOSSES,
    ContrastiveLoss,
    DomainTripletLoss,
    NormalisedSoftmaxLoss,
    TripletLoss,
    batch_hard_triplet,
    domain_triplets,
    normalised_softmax,
)
from sbirctl.models import create

LABEL = torch.arange(12) % 3
SKETCH = torch.arange(12) % 2 == 0


def embeddings():
    return torch.randn(12, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()


def test_modules_are_their_functions():
    x = embeddings()
    assert torch.equal(TripletLoss(0.4)(x, LABEL), batch_hard_triplet(x, LABEL, margin=0.4))
    softmax = NormalisedSoftmaxLoss(dim=6, classes=3, temperature=0.1)
    assert torch.equal(
        softmax(x, LABEL), normalised_softmax(x, softmax.proxies, LABEL, temperature=0.1)
    )
    terms = domain_triplets(x, LABEL, SKETCH).values()
    plain = DomainTripletLoss(weighting="none")(x, LABEL, SKETCH)
    torch.testing.assert_close(plain, torch.stack([one.loss for one in terms]).sum())


@pytest.mark.parametrize("sketch", [SKETCH, None])
def test_contrastive_takes_every_pair_once(sketch):
    x = embeddings()
    unit, total, count = F.normalize(x.detach(), dim=1), 0.0, 0
    for i in range(12):
        for j in range(12):
            if (i < j) if sketch is None else (sketch[i] and not sketch[j]):
                distance = float((unit[i] - unit[j]).norm())
                total += distance if LABEL[i] == LABEL[j] else max(0.0, 0.8 - distance)
                count += 1
    found = ContrastiveLoss(margin=0.8)(x, LABEL, sketch)
    assert float(found.detach()) == pytest.approx(total / count, abs=1e-5)


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_model_trains_with_a_loss_by_its_name(name):
    layers = [{"backbone": "resnet10t", "size": 32, "dim": 6, "loss": name}]
    model = create("baseline", device="cpu", weights="none", classes=("a", "b"), layers=layers)
    (stage,) = model.recipe()
    learnt = {group.name: list(group.params) for group in stage.groups}
    assert ("proxies" in learnt) == (name == "normalised-softmax")


def test_an_unknown_loss_is_named():
    layers = [{"backbone": "resnet10t", "size": 32, "loss": "tripelt"}]
    with pytest.raises(UsageError, match="no loss 'tripelt'") as raised:
        create("baseline", device="cpu", weights="none", classes=("a", "b"), layers=layers)
    assert "'triplet'" in raised.value.hint


def test_every_name_that_is_offered_is_there():
    offered = [name for name in dir(losses) if not name.startswith("_")]
    assert {"TripletLoss", "alignment", "contrastive", "hinge", "pair_relation"} <= set(offered)
    for name in offered:
        assert getattr(losses, name) is not None
    assert not any(name.islower() and type(getattr(losses, name)).__name__ == "module"
                   for name in offered if name != "annotations")  # fmt: skip


class OldLoss(TripletLoss):
    """As plug-ins had it before `of` took options."""

    name = "old"

    @classmethod
    def of(cls, dim, classes):
        return cls()


def test_a_loss_whose_own_of_takes_no_options_is_given_none(monkeypatch):
    assert TripletLoss.takes() >= {"margin"}
    assert OldLoss.takes() == frozenset()
    monkeypatch.setattr(LOSSES, "_things", {**LOSSES.loaded(), "old": OldLoss})
    layers = {"backbone": "resnet10t", "size": 32, "loss": "old"}
    made = create("baseline", device="cpu", weights="none", classes=("a", "b"), layers=[layers])
    assert isinstance(made.loss, OldLoss)
    with pytest.raises(UsageError, match="the loss old has no margin"):
        create(
            "baseline", device="cpu", weights="none", classes=("a", "b"),
            layers=[{**layers, "margin": 0.5}],
        )  # fmt: skip
