"""The siamese baseline: what it embeds with, what its settings change."""

from __future__ import annotations

import pytest
import torch
from small_models import CLASSES, batch, images, small

from sbirctl.core.errors import UsageError
from sbirctl.losses.normalised_softmax import normalised_softmax
from sbirctl.losses.triplet import batch_hard_triplet
from sbirctl.models import create
from sbirctl.training.step import loss_terms


def test_without_classes_the_pooled_features_are_the_embedding() -> None:
    model = small("baseline", None)
    given = images(2)
    pooled = model.backbone(model.preprocess(given, "photo"))
    assert model.dim == 1280
    torch.testing.assert_close(
        model.embed(given, "photo"), torch.nn.functional.normalize(pooled, dim=1).detach()
    )
    with pytest.raises(UsageError, match="without training classes"):
        model.recipe()


def test_dim_0_trains_the_pooled_features() -> None:
    layers = [{"backbone": "mobilenetv2_100", "size": 32, "dim": 0}]
    model = create("baseline", device="cpu", weights="none", classes=CLASSES, layers=layers)
    assert model.dim == 1280
    assert model.proxies.shape == (3, 1280)
    assert [group.name for group in model.recipe()[0].groups] == ["backbone", "proxies"]


def test_the_total_is_the_weighted_sum_of_the_terms() -> None:
    model = small("baseline")
    given = batch()
    encoded = model.encode(given)
    both = torch.cat([encoded.photo, encoded.sketch])
    labels = torch.cat([given.photo_label, given.sketch_label])
    softmax = normalised_softmax(both, model.proxies, labels, temperature=0.2)
    triplet = batch_hard_triplet(both, labels, margin=0.2)
    terms = model.losses(encoded, given, "train")
    torch.testing.assert_close(terms["total"], softmax + 0.5 * triplet)


def test_each_part_has_its_own_learning_rate() -> None:
    layers = [{"backbone": "resnet18", "size": 32, "lr": 0.5, "lr_backbone": 0.25, "lr_proxies": 2}]
    model = create("baseline", device="cpu", weights="none", classes=CLASSES, layers=layers)
    rates = {group.name: group.lr for group in model.recipe()[0].groups}
    assert rates == {"backbone": 0.25, "projection": 0.5, "proxies": 2.0}


def test_every_parameter_is_in_a_group() -> None:
    model = small("baseline")
    grouped = {id(p) for group in model.recipe()[0].groups for p in group.params}
    assert grouped == {id(p) for p in model.parameters()}


def test_the_default_rates_learn_from_the_first_steps() -> None:
    """Proxies of unit norm would be thrown about by their learning rate."""
    layers = [{"backbone": "resnet18", "size": 32}]
    model = create("baseline", device="cpu", weights="none", classes=CLASSES, layers=layers)
    model.train()
    groups = [{"params": list(g.params), "lr": g.lr} for g in model.recipe()[0].groups]
    optimizer = torch.optim.AdamW(groups)
    proxies = model.proxies.detach().clone()
    for _ in range(5):
        optimizer.zero_grad()
        loss_terms(model, batch(), "train")["total"].backward()
        optimizer.step()
    kept = torch.cosine_similarity(proxies, model.proxies.detach(), dim=1)
    assert kept.min() > 0.8


def test_the_mirrored_embedding_is_the_mean_of_both() -> None:
    settings = {"backbone": "resnet18", "size": 32}
    one, both = (
        create("baseline", device="cpu", weights="none", layers=[{**settings, "mirror": mirror}])
        for mirror in (False, True)
    )
    given = images(3)
    mean = one.embed(given, "photo") + one.embed(given.flip(-1), "photo")
    torch.testing.assert_close(
        both.embed(given, "photo"), torch.nn.functional.normalize(mean, dim=1)
    )
    torch.testing.assert_close(both.embed(given, "photo"), both.embed(given.flip(-1), "photo"))
