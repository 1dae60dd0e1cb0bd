"""FFMLN: its losses, its recipe, what its settings change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from small_models import CLASSES, SMALL, batch, images
from torch.nn import functional as F

from sbirctl.core.config import to_dict
from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.losses import TERMS, domain_triplets, normalised_softmax
from sbirctl.models import count_parts, create, load_card, resolve_settings
from sbirctl.models._parameters import parameters_by_part
from sbirctl.models.ffmln import Ffmln
from sbirctl.retrieval.provenance import Provenance
from sbirctl.sampling.batch import Encoded
from sbirctl.sampling.plans import PooledPlan
from sbirctl.sampling.subsets import ImageSubset, Subset
from sbirctl.training.checkpoint import Checkpoint, restore
from sbirctl.training.step import loss_terms


def tiny(classes: tuple[str, ...] | None = CLASSES, **changes: Any) -> Ffmln:
    layers = [SMALL["ffmln"], {k: str(v) for k, v in changes.items()}]
    model = create("ffmln", device="cpu", weights="none", classes=classes, layers=layers)
    assert isinstance(model, Ffmln)
    return model


def encoded_batch(n: int = 8) -> tuple[Any, Encoded, torch.Tensor, torch.Tensor]:
    """A batch of n photos and n sketches of two classes with random embeddings and logits."""
    given = batch(n)
    torch.manual_seed(0)
    both = F.normalize(torch.randn(2 * n, 8), dim=1)
    logits = torch.randn(2 * n, len(CLASSES))
    return given, Encoded(both[:n], both[n:], extra={"logits": logits}), both, logits


@pytest.mark.parametrize("weighting", ["gradient", "none"])
def test_the_total_is_equation_9(weighting: str) -> None:
    model = tiny(weighting=weighting)
    given, encoded, both, logits = encoded_batch()
    labels = torch.cat([given.photo_label, given.sketch_label])
    is_sketch = torch.arange(16) >= 8
    terms = model.losses(encoded, given, "train")
    norm = normalised_softmax(both, model.proxies, labels, temperature=0.05)
    triplets = domain_triplets(both, labels, is_sketch)
    values = torch.stack([triplets[t].loss for t in TERMS])
    pull = torch.stack([triplets[t].gradient for t in TERMS])
    weights = pull.mean() / pull.clamp(min=0.1) if weighting == "gradient" else torch.ones(3)
    expected = norm + 0.8 * (F.cross_entropy(logits, labels) + (weights * values).sum())
    torch.testing.assert_close(terms["total"], expected)
    torch.testing.assert_close(terms["triplets"], (weights * values).sum())


def test_lambda_is_a_setting_of_that_name() -> None:
    model = tiny(**{"lambda": 0.5})
    given, encoded, _, _ = encoded_batch()
    terms = model.losses(encoded, given, "train")
    torch.testing.assert_close(
        terms["total"], terms["norm"] + 0.5 * (terms["cls"] + terms["triplets"])
    )
    assert to_dict(model.settings)["lambda"] == 0.5


@pytest.mark.parametrize(
    ("changes", "present"),
    [
        ({"terms": "norm"}, {"norm"}),
        ({"terms": "norm,cls"}, {"norm", "cls"}),
        ({"terms": "norm,cls,mul"}, {"norm", "cls", "mul", "triplets"}),
        ({"terms": "sin"}, {"sin", "triplets"}),
        ({"objective": "eq9"}, {"norm", "cls", "sin", "mul", "triplets"}),
    ],
)
def test_terms_of_the_ablation(changes: dict[str, str], present: set[str]) -> None:
    model = tiny(**changes).train()
    terms = loss_terms(model, batch(), "train")
    assert set(terms) == present | {"total"}
    terms["total"].backward()
    (stage,) = model.recipe()
    groups = {group.name for group in stage.groups}
    assert ("classifier" in groups) == ("cls" in present)
    assert ("proxies" in groups) == ("norm" in present)
    for group in stage.groups:
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in group.params), group.name


def test_a_batch_without_a_triplet_is_exactly_zero_with_a_finite_gradient() -> None:
    model = tiny(terms="sin,mul,cro").train()
    given = replace(batch(), photo_label=torch.zeros(4).long(), sketch_label=torch.zeros(4).long())
    terms = loss_terms(model, given, "train")
    assert terms["total"].item() == 0
    terms["total"].backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads
    assert all(g.isfinite().all() for g in grads)


def test_released_weighting_is_its_broadcast_product() -> None:
    model = tiny(weighting="released", mining="released")
    given, encoded, both, _ = encoded_batch()
    labels = torch.cat([given.photo_label, given.sketch_label])
    found = domain_triplets(both, labels, torch.arange(16) >= 8, released_mining=True)
    pull = torch.stack([found[t].gradient for t in TERMS])
    values = torch.stack([found[t].loss for t in TERMS])
    product = values * (pull.mean() / pull.clamp(min=0.1)).view(3, 1)  # (3, 3)
    terms = model.losses(encoded, given, "train")
    torch.testing.assert_close(terms["triplets"], product.sum() / 3)


@pytest.mark.parametrize("term", TERMS)
def test_one_term_as_the_authors_have_it(term: str) -> None:
    """Hard hinge over all anchors, not weighted, a third of the gradient."""
    settings = {"terms": term, "single_term": "released", "mining": "released"}
    model = tiny(**settings)
    given, encoded, both, _ = encoded_batch()
    both.requires_grad_()
    encoded = Encoded(both[:8], both[8:])
    labels = torch.cat([given.photo_label, given.sketch_label]).tolist()
    total = torch.zeros(())
    for a in range(16):
        apart = [(a < 8) != (i < 8) for i in range(16)]
        distance = (both[a] - both).square().sum(1).add(1e-12).sqrt()
        near = [i for i in range(16) if labels[i] == labels[a] and apart[i] == (term != "sin")]
        far = [i for i in range(16) if labels[i] != labels[a] and apart[i] == (term == "cro")]
        total = total + (distance[near].max() - distance[far].min() + 0.2).relu() / 16
    found = model.losses(encoded, given, "train")
    torch.testing.assert_close(found["triplets"], total)
    (own,) = torch.autograd.grad(found["total"], both, retain_graph=True)
    (naive,) = torch.autograd.grad(total, both)
    unit = both.detach()  # the loss normalises: what points along an embedding goes
    naive = naive - (naive * unit).sum(1, keepdim=True) * unit
    torch.testing.assert_close(own, 0.8 * naive / 3, atol=1e-6, rtol=1e-4)


def test_a_term_without_triplets_leaves_the_others_their_weight() -> None:
    """One image a class and modality: L_sin has no positive."""
    model = tiny(weighting="gradient", terms="sin,mul,cro")
    photo, sketch = torch.arange(4), torch.arange(4)
    given = replace(batch(4), photo_label=photo, sketch_label=sketch)
    torch.manual_seed(0)
    both = F.normalize(torch.randn(8, 8), dim=1)
    terms = model.losses(Encoded(both[:4], both[4:]), given, "train")
    labels, sketches = torch.cat([photo, sketch]), torch.arange(8) >= 4
    alone = tiny(weighting="gradient", terms="mul,cro")
    two = alone.losses(Encoded(both[:4], both[4:]), given, "train")
    assert domain_triplets(both, labels, sketches)["sin"].anchors == 0
    torch.testing.assert_close(terms["triplets"], two["triplets"])


def test_a_normalised_descriptor_is_of_parts_1_long_and_its_projection_about_1() -> None:
    model = tiny(descriptor="normalised", dim=512).eval()
    given = model.preprocess(images(6), "photo")
    with torch.no_grad():
        found = model.network(given, torch.zeros(6, dtype=torch.bool))
        start = 0
        for width in (*(channels for channels, _ in model.network.shapes), 16):
            part = found[:, start : start + width]
            torch.testing.assert_close(part.norm(dim=1), torch.ones(6))
            start += width
        assert start == found.shape[1]
        length = model.features(given, "photo").norm(dim=1)
    assert (length > 0.5).all()
    assert (length < 2).all()
    raw = tiny(descriptor="raw").eval()
    raw.network.load_state_dict(model.network.state_dict())
    with torch.no_grad():
        own = raw.network(given, torch.zeros(6, dtype=torch.bool))
    assert not torch.allclose(own, found)
    torch.testing.assert_close(F.normalize(own[:, -16:], dim=1), found[:, -16:])


@pytest.mark.parametrize("network", ["siamese-cnn", "egff"])
def test_other_networks_descriptors_are_normalised_too(network: str) -> None:
    model = tiny(descriptor="normalised", network=network).eval()
    with torch.no_grad():
        given = model.preprocess(images(2), "photo")
        found = model.network(given, torch.zeros(2, dtype=torch.bool))
    parts = len(model.network.numbers)
    torch.testing.assert_close(found.norm(dim=1), torch.full((2,), parts**0.5))


def test_a_map_that_the_patches_do_not_cover_is_remarked() -> None:
    """At 96 pixels the levels have sides of 12, 6 and 3: 7 of 12 rows and columns are 34 %."""
    remarks = tiny(size=96).remarks(96)
    assert len(remarks) == 1
    assert "34% of level 2" in remarks[0]
    assert "7 of 12" in remarks[0]
    assert tiny(size=224).remarks(224) == []
    assert tiny(size=96, network="siamese-cnn").remarks(96) == []


def test_the_transformer_starts_from_a_vision_transformers_blocks(tmp_path: Any) -> None:
    import timm

    torch.manual_seed(0)
    sizes = {"embed_dim": 16, "depth": 3, "num_heads": 2, "img_size": 32}
    vit = timm.create_model("vit_tiny_patch16_224", pretrained=False, **sizes)
    torch.save(vit.state_dict(), tmp_path / "vit.pth")
    model = tiny(fusion_weights=tmp_path / "vit.pth")
    tokens = torch.randn(2, 4, 16)
    own = torch.cat([vit.cls_token.expand(2, -1, -1), tokens], 1)
    for block in vit.blocks[:2]:  # the model's depth
        own = block(own)
    expected = vit.norm(own[:, 0]).sigmoid()
    with torch.no_grad():
        torch.testing.assert_close(model.network.transformer(tokens), expected)
    assert model.weights.name.startswith("none, AMFF from vit.pth (")
    with pytest.raises(MismatchError, match=r"vit\.pth") as caught:
        tiny(fusion_weights=tmp_path / "vit.pth", width=32)
    assert "width=768" in caught.value.hint


def test_every_part_has_its_learning_rate_and_the_backbone_rests_first() -> None:
    rates = {"lr": 1, "lr_backbone": 2, "lr_fusion": 3, "lr_proxies": 4}
    (stage,) = tiny(**rates, frozen_epochs=2).recipe()
    assert {group.name: group.lr for group in stage.groups} == {
        "backbone": 2,
        "patches": 3,
        "transformer": 3,
        "projection": 1,
        "classifier": 1,
        "proxies": 4,
    }
    assert stage.frozen_epochs == {"backbone": 2}


def test_the_classifier_can_stay_as_it_is() -> None:
    model = tiny(freeze_classifier="true")
    (stage,) = model.recipe()
    assert "classifier" not in {group.name for group in stage.groups}
    assert parameters_by_part(model)["frozen"] == 3 * 8 + 3


def test_the_paper_recipe_is_the_default() -> None:
    settings = resolve_settings("ffmln")
    assert (settings.lr, settings.lr_backbone, settings.lr_fusion) == (1e-5, 1e-5, 1e-5)
    assert (settings.lr_proxies, settings.weight_decay) == (1e-1, 5e-4)
    assert (settings.batch, settings.per_class, settings.epochs) == (64, 8, 10)
    assert (settings.optimizer, settings.schedule) == ("adamw", "constant")
    assert (settings.lambda_, settings.temperature, settings.margin) == (0.8, 0.05, 0.2)


def test_the_released_preset() -> None:
    settings = resolve_settings("ffmln", [{"preset": "released"}])
    assert (settings.lambda_, settings.weighting, settings.mining) == (1.0, "released", "released")
    assert (settings.augment, settings.val) == ("released", "none")
    model = tiny(preset="released", backbone="mobilenetv2_100")
    assert model.classifier.bias is None
    assert model.recipe()[0].plan == PooledPlan(8)


def test_a_pooled_batch_may_lack_a_modality() -> None:
    model = tiny().train()
    given = batch()
    empty = given.sketch[:0]
    given = replace(given, sketch=empty, sketch_label=given.sketch_label[:0], ids=given.ids[:4])
    terms = loss_terms(model, given, "train")
    assert terms["mul"].item() == terms["cro"].item() == 0
    assert terms["sin"].item() > 0
    assert terms["total"].isfinite()


def test_the_sampler_gives_every_anchor_every_kind_of_triplet() -> None:
    label = np.repeat(np.arange(10), 7)
    side = ImageSubset(None, "photo", np.arange(70), label, np.full(70, -1))  # type: ignore[arg-type]
    part = Subset(side, side, tuple(map(str, range(10))), np.zeros(10, bool))
    plan = tiny(batch=64, per_class=8).recipe()[0].plan
    rng = rng_for(0, "embeddings")
    for drawn in plan.batches(part, 0, 0):
        labels = torch.from_numpy(np.concatenate([label[drawn.photo], label[drawn.sketch]]))
        counts = torch.bincount(labels)
        assert counts[counts > 0].tolist() == [8] * 8
        found = domain_triplets(
            torch.from_numpy(rng.standard_normal((64, 4))), labels, torch.arange(64) >= 32
        )
        assert [int(found[term].anchors) for term in TERMS] == [64, 64, 64]


@pytest.mark.parametrize("dim", [64, 512])
def test_both_sizes_embed_and_their_checkpoints_refuse_each_other(dim: int) -> None:
    model = tiny(dim=dim)
    assert model.embed(images(2), "sketch").shape == (2, dim)
    other = to_dict(tiny(dim=576 - dim).settings)
    checkpoint = Checkpoint(
        "ffmln", other, CLASSES, "", Provenance(seed=0), None, model.checkpoint_state()
    )
    with pytest.raises(MismatchError, match="do not fit ffmln"):
        restore(checkpoint, device="cpu")
    again = restore(replace(checkpoint, settings=to_dict(model.settings)), device="cpu")
    torch.testing.assert_close(again.embed(images(2), "photo"), model.embed(images(2), "photo"))


def test_parts_add_up_to_the_card_and_to_the_papers_count() -> None:
    partition = count_parts(Ffmln, resolve_settings("ffmln"))
    assert partition == {
        "backbone": 23_508_032,  # torchvision's ResNet-50 without its classifier
        "patches": 49 * 768 * (512 + 1024 + 2048) + 3 * 768,
        "transformer": 12 * 7_087_872 + 2 * 768 + 768,
        "projection": (512 + 1024 + 2048 + 768) * 512 + 512,
        "classifier": 512 + 1,
        "proxies": 512,
    }
    assert sum(partition.values()) - 1025 == load_card("ffmln").parameters
    released = count_parts(Ffmln, resolve_settings("ffmln", [{"preset": "released"}]))
    unused = 49 * 768 * 256 + 768 + 9 * 2048 * (512 + 1024 + 256) + 512 + 1024 + 256
    allocated = sum(released.values()) - 1024 + unused
    assert allocated == pytest.approx(290.1e6, rel=3e-3)


def test_attention_of_the_fused_stages() -> None:
    model = tiny(size=64)
    found = model.attention(images(2), "photo")
    assert [stage.name for stage in found] == ["level 2", "level 3", "level 4"]
    assert [tuple(stage.energy.shape) for stage in found] == [(2, 8, 8), (2, 4, 4), (2, 2, 2)]
    assert all(stage.cls is not None and stage.cls.shape == (2, 1, 1) for stage in found)
    assert all(stage.cls is None for stage in tiny(network="egff").attention(images(1), "photo"))
    assert all(stage.cls is None for stage in tiny(depth=0).attention(images(1), "photo"))


def test_without_training_classes_it_embeds_but_does_not_train() -> None:
    model = tiny(None)
    assert model.embed(images(1), "photo").shape == (1, 8)
    with pytest.raises(UsageError, match="without training classes"):
        model.recipe()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"terms": ""}, "no loss"),
        ({"terms": "cro", "objective": "eq9"}, "no loss"),
        ({"levels": "0,2"}, "levels=0,2"),
        ({"levels": "5"}, "levels=5"),
        ({"levels": ""}, "cannot be fused"),
        ({"heads": 3}, "heads=3"),
        ({"network": "vgg16"}, "does not stand on mobilenetv2_100"),
        ({"network": "cse-resnet50"}, "no squeeze-and-excitation"),
    ],
)
def test_settings_that_cannot_hold_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tiny(**changes)
