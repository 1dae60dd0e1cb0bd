"""CLIP-AT: what is shared, which images meet in a term, and the terms against their functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_models import CLASSES, batch, images
from torch.nn import functional as F

from sbirctl.core.errors import UsageError
from sbirctl.losses import category_divergence, class_logits, classification, cosine_triplet
from sbirctl.models import create
from sbirctl.models.clipat import ClipAt
from sbirctl.models.layers.patch_shuffle import shuffle_patches
from sbirctl.training.gradient_cache import split
from sbirctl.training.step import loss_terms

SMALL = {"backbone": {"name": "tiny-clip", "pretrained": "none"}, "size": 32}
FINE = {"common_prompt": True, "branches": 1, "divergence": 0.1, "per_category": 2, "shuffle": 1.0}
PAIRS = ("cat/1", "cat/2", "dog/1", "dog/2")


def clipat(classes=CLASSES, **settings) -> ClipAt:
    layers = [SMALL, settings]
    return create("clipat", device="cpu", weights="none", classes=classes, layers=layers)


def fine(classes=PAIRS, **settings) -> ClipAt:
    return clipat(classes, **{**FINE, **settings})


def pairs():
    """Four triplets of sketches 0-3 and photos 0-7, of four instances in two categories."""
    labels = torch.arange(4)
    return replace(
        batch(4),
        photo=images(8, side=32, seed=1),
        sketch=images(4, side=32, seed=2),
        photo_label=torch.tensor([0, 1, 1, 0, 2, 3, 3, 2]),
        sketch_label=labels,
        photo_instance=torch.tensor([0, 1, 1, 0, 2, 3, 3, 2]),
        sketch_instance=labels,
        tuples=torch.tensor([[0, 0, 1], [1, 2, 3], [2, 4, 5], [3, 6, 7]]),
        ids=tuple(map(str, range(12))),
    )


def test_instances_share_prompt_and_norms_and_categories_do_not():
    given = images(3, side=32)
    apart, common = clipat().eval(), fine().eval()
    assert apart.encoder.prompts.shape == (2, 3, 32)
    assert common.encoder.prompts.shape == (1, 3, 32)
    assert not torch.allclose(apart.embed(given, "photo"), apart.embed(given, "sketch"))
    assert torch.equal(common.embed(given, "photo"), common.embed(given, "sketch"))
    only_norms = clipat(common_prompt=True, branches=2)
    with torch.no_grad():
        only_norms.encoder.visual.ln_post.bias[1] += 1.0
    assert not torch.allclose(only_norms.embed(given, "photo"), only_norms.embed(given, "sketch"))


def test_the_terms_of_a_system_are_those_with_a_weight():
    names = set(loss_terms(clipat().train(), batch(), "train"))
    assert names == {"triplet", "cls_sketch", "cls_photo", "total"}
    released = clipat(preset="released", backbone=SMALL["backbone"]).train()
    terms = loss_terms(released, batch(), "train")
    assert set(terms) == {"triplet", "total"}
    assert torch.equal(terms["triplet"], terms["total"])
    assert released._texts is None  # no text is encoded for nothing
    names = set(loss_terms(fine().train(), pairs(), "train"))
    assert names == {"triplet", "cls_sketch", "cls_photo", "divergence", "shuffle", "total"}


def test_the_terms_are_those_of_the_formulas():
    model, given = fine(), pairs()
    model.batch_seed = 25
    encoded = model.encode(given)
    model._texts = F.normalize(torch.randn(2, model.dim), dim=1), torch.tensor([0, 0, 1, 1])
    terms = model.losses(encoded, given, "train")
    s, p, n = encoded.sketch, encoded.photo[0::2], encoded.photo[1::2]
    category = torch.tensor([0, 0, 1, 1])
    texts = model._texts[0]
    relative = (s * n).sum(1) - (s * p).sum(1)
    extra = encoded.extra
    expected = {
        "triplet": cosine_triplet(s, p, n, 0.3),
        "cls_sketch": classification(class_logits(s, texts), category),
        "cls_photo": classification(class_logits(p, texts), category),
        "divergence": category_divergence(relative, category, 2),
        "shuffle": cosine_triplet(
            extra["sketch_shuffled"],
            extra["photo_shuffled"][0::2],
            extra["photo_otherwise"][0::2],
            0.3,
        ),
    }
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, atol=1e-6, rtol=1e-5)
    total = terms["triplet"] + 0.5 * (terms["cls_sketch"] + terms["cls_photo"])
    total = total + 0.1 * terms["divergence"] + terms["shuffle"]
    torch.testing.assert_close(terms["total"], total)


def test_shuffling_takes_a_sketch_and_its_photo_in_one_order_and_the_photo_in_another(monkeypatch):
    model, given, seen = fine(), pairs(), []
    own = shuffle_patches
    monkeypatch.setattr(
        "sbirctl.models.clipat.shuffle_patches",
        lambda pictures, order, grid: (
            seen.append((len(pictures), order)) or own(pictures, order, grid)
        ),
    )
    encoded = model.encode(given)
    (photos, first), (_, second), (sketches, third) = seen
    assert (photos, sketches) == (8, 4)
    assert torch.equal(first, third)
    assert not torch.equal(first, second)
    by_hand = own(model.preprocess(given.sketch, "sketch"), first, 2)
    unit = F.normalize(model.encoder(by_hand, None), dim=-1)
    torch.testing.assert_close(encoded.extra["sketch_shuffled"], unit, atol=1e-5, rtol=1e-5)


def test_one_step_has_one_order_whatever_piece_is_encoded_and_the_next_another():
    model, given = fine(), pairs()
    whole = model.encode(given).extra
    parts = [model.encode(part).extra for part in split(given, 2)]
    for name in whole:
        torch.testing.assert_close(
            whole[name], torch.cat([p[name] for p in parts]), atol=1e-5, rtol=0
        )
    later = set()
    for step in range(8):
        model.batch_seed = step
        later.add(tuple(model.encode(given).extra["photo_shuffled"][0].tolist()))
    assert len(later) > 4


def test_negatives_of_instances_are_of_the_category_and_come_in_groups():
    plan = fine().recipe()[0].plan
    assert plan.same_category
    assert plan.per_category == 2
    assert not plan.negative_sketch
    plan = clipat().recipe()[0].plan
    assert not plan.same_category
    assert plan.per_category == 0
    with pytest.raises(UsageError, match=r"batch=6 is no multiple of per_category=4") as caught:
        fine(per_category=4, batch=6).recipe()
    assert "batch of 4" in caught.value.hint


def test_settings_that_change_nothing_are_named():
    found = clipat(
        shuffle_grid=4, cls_weight=0.0, temperature=0.1, train=("norms",), lr_prompts=1.0
    )
    assert found.remarks(32) == [
        "temperature=0.1 changes nothing with cls_weight=0",
        "shuffle_grid=4 changes nothing with shuffle=0",
        "lr_prompts=1.0 changes nothing with no prompts to train",
    ]
    assert fine(shuffle_grid=4, divergence_order="sorted", lr_prompts=1.0).remarks(32) == []
    for preset in ClipAt.presets:
        assert not clipat(preset=preset, backbone=SMALL["backbone"]).remarks(16)


def test_a_template_has_one_place_for_the_name():
    given = pairs()
    for template in ("a photo", "{} or {}", "a {name}"):
        with pytest.raises(UsageError, match="has no single {}"):
            loss_terms(clipat(PAIRS, template=template), given, "train")


def test_one_category_has_no_class_texts():
    with pytest.raises(UsageError, match="All classes share the text 'shoe'"):
        loss_terms(fine(("shoe/1", "shoe/2", "shoe/3", "shoe/4")), pairs(), "train")
    own = fine(("shoe/1", "shoe/2", "shoe/3", "shoe/4"), fg_text="instance")
    assert np.isfinite(loss_terms(own, pairs(), "train")["total"].item())
