"""SpLIP: prompts that the encoders make for each other, margins, and who sees which jigsaw."""

from __future__ import annotations

from dataclasses import replace

import open_clip
import pytest
import torch
from small_models import CLASSES, batch, images
from torch import nn
from torch.nn import functional as F

from sbirctl.core.errors import UsageError
from sbirctl.losses import adaptive_triplet, classification, conditional_jigsaw
from sbirctl.models import create
from sbirctl.models.layers.jigsaw_solver import drawn_orders
from sbirctl.models.layers.patch_shuffle import shuffle_patches
from sbirctl.models.splip import Splip
from sbirctl.training.gradient_cache import split
from sbirctl.training.step import loss_terms

SMALL = {"backbone": {"name": "tiny-clip", "pretrained": "none"}, "size": 32, "mapping_width": 16}


def splip(classes=CLASSES, **settings) -> Splip:
    layers = [SMALL, settings]
    return create("splip", device="cpu", weights="none", classes=classes, layers=layers).eval()


def tiny():
    """The towers that `splip` builds: the first thing drawn from its seed."""
    model = splip(None)
    return model.encoder.visual, model.text


def test_without_classes_it_is_clip():
    visual, _ = tiny()
    given = torch.randn(3, 3, 32, 32)
    found = splip(None).encoder(given, None)[0]
    torch.testing.assert_close(found, visual(given), atol=1e-5, rtol=1e-5)


def test_without_prompts_texts_are_clips_own_however_they_are_cut():
    model = splip(("cat", "a very long name of a dog", "owl"), text_prompts=0)
    given = model.preprocess(images(2), "sketch")
    found = model.encoder(given, model._class_tokens("sketch"))[1]
    texts = [f"sketch of a {name}" for name in model.classes]
    expected = model.embed_text(texts)
    for row in F.normalize(found, dim=-1):
        torch.testing.assert_close(row, expected, atol=1e-5, rtol=1e-4)


def naive(model, image, modality):
    """One picture through the formulas, text by text and at the whole length of the context."""
    visual, text, blocks = model.encoder.visual, model.text, model.encoder.blocks
    template = "photo of a {}" if modality == "photo" else "sketch of a {}"
    tokens = open_clip.get_tokenizer("tiny-clip")(
        [template.format(name) for name in model.classes], context_length=12
    )
    patches = (
        visual.conv1(image[None]).flatten(2).transpose(1, 2)[0] + visual.positional_embedding[1:]
    )
    inserted = blocks.to_text.steps(patches.flatten()).view(4, -1)  # T
    states, features = [], []
    for row in tokens:
        words = text.token_embedding(row)
        x = torch.cat([words[:1], inserted, words[1:]]) + text.positional_embedding
        end, own = int(row.argmax()) + 4, []
        for block in text.transformer.resblocks:
            x = torch.cat([x[:1], inserted, x[5:]])
            x = block(x[None], attn_mask=text.attn_mask)[0]
            own.append(x[end])
        states.append(own)
        features.append(text.ln_final(x)[end] @ text.text_projection)
    lead = text.token_embedding(tokens[0, :4])  # start, photo, of, a
    guide = torch.stack([blocks.guide.steps(word) for word in lead])  # V^tg
    x = torch.cat([(visual.class_embedding + visual.positional_embedding[0])[None], patches])
    x = visual.ln_pre(x)
    for layer, block in enumerate(visual.transformer.resblocks):
        seen = torch.stack([own[layer] for own in states]).mean(0)
        mutual = blocks.mutual.steps(seen).view(2, -1)  # V^ms
        x = block(torch.cat([x, guide, mutual])[None])[0][: len(x)]
    return visual.ln_post(x[0]) @ visual.proj, torch.stack(features)


@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_prompts_pass_between_the_encoders_as_the_formulas_say(modality):
    extra = {
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 49408,
            "width": 16,
            "heads": 2,
            "layers": 2,
        }
    }
    model = splip(backbone={**SMALL["backbone"], "extra": extra})
    given = model.preprocess(images(3, side=32), modality)
    with torch.no_grad():
        found, texts = model.encoder(given, model._class_tokens(modality))
        for row in range(3):
            own, features = naive(model, given[row], modality)
            torch.testing.assert_close(found[row], own, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(texts[row], features, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(texts[0], texts[1], atol=1e-3)  # a text as each picture sees it


@pytest.mark.parametrize("off", [{"text_prompts": 0}, {"visual_prompts": 0}, {"guided": False}])
def test_each_kind_of_prompt_can_be_left_out(off):
    given = images(2)
    whole, less = splip(), splip(**off)
    assert not torch.allclose(whole.embed(given, "photo"), less.embed(given, "photo"), atol=1e-4)
    assert len(list(less.encoder.blocks.parameters())) == 4 * 3  # two blocks of three layers
    assert torch.isfinite(loss_terms(less.train(), batch(), "train")["total"])


def test_only_norms_blocks_and_solver_are_trained():
    model = splip().train()
    loss_terms(model, batch(), "train")["total"].backward()
    touched = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    norms = {
        f"encoder.visual.{name}.{part}"
        for name, module in model.encoder.visual.named_modules()
        if isinstance(module, nn.LayerNorm)
        for part in ("weight", "bias")
    }
    own = {
        n for n, _ in model.named_parameters() if "encoder.blocks" in n or n.startswith("solver")
    }
    assert touched <= norms | own
    assert norms <= touched
    assert len(own - touched) <= 4  # ReLUs of a few units may all be off
    frozen = splip(norms=False).train()
    groups = {id(p) for group in frozen.recipe()[0].groups for p in group.params}
    assert not any(id(p) in groups for p in frozen.encoder.visual.parameters())


def test_the_terms_are_those_of_the_formulas():
    tuples = torch.tensor([[0, 0, 1], [2, 2, 3]])
    model, given = splip(), replace(batch(), tuples=tuples)
    model._texts = F.normalize(torch.randn(3, model.dim), dim=1), torch.arange(3)
    encoded = model.encode(given)
    terms = model.losses(encoded, given, "train")
    s, p, texts = encoded.sketch, encoded.photo, model._texts[0]
    a, pos, neg = tuples.T
    margin = (texts[given.photo_label[pos]] * texts[given.photo_label[neg]]).sum(1)
    order = model._order_of(given.ids[4:])[a]
    shuffled = encoded.extra["sketch_shuffled"][a]
    seen = torch.cat([pos, neg])
    expected = {
        "triplet": adaptive_triplet(s[a], p[pos], p[neg], margin),
        "cls_sketch": classification(encoded.extra["sketch_logits"][a], given.sketch_label[a]),
        "cls_photo": classification(encoded.extra["photo_logits"][seen], given.photo_label[seen]),
        "jigsaw": conditional_jigsaw(
            *(model.solver(hint, shuffled) for hint in (s[a], p[pos], p[neg])), order
        ),
    }
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, atol=1e-5, rtol=1e-5)
    total = expected["triplet"] + expected["cls_sketch"] + expected["cls_photo"]
    torch.testing.assert_close(terms["total"], total + 0.1 * expected["jigsaw"])
    fixed = splip(fixed_margin=0.2)
    fixed._texts = model._texts
    same = adaptive_triplet(s[a], p[pos], p[neg], torch.tensor([0.2, 0.2]))
    torch.testing.assert_close(fixed.losses(encoded, given, "train")["triplet"], same)


def test_logits_are_cosines_to_the_texts_that_each_picture_sees():
    model, given = splip(temperature=0.5), batch()
    encoded = model.encode(given)
    photo = model.preprocess(given.photo, "photo")
    _, texts = model.encoder(photo, model._class_tokens("photo"))
    for row in range(4):
        cosine = F.cosine_similarity(encoded.photo[row][None], texts[row])
        torch.testing.assert_close(
            encoded.extra["photo_logits"][row], cosine / 0.5, atol=1e-5, rtol=1e-4
        )


def test_the_jigsaw_is_of_the_sketch_and_photos_stay_whole(monkeypatch):
    model, given, seen = splip(), batch(), []
    own = shuffle_patches
    monkeypatch.setattr(
        "sbirctl.models.splip.shuffle_patches",
        lambda pictures, order, grid: seen.append((pictures, order)) or own(pictures, order, grid),
    )
    encoded = model.encode(given)
    ((pictures, order),) = seen
    assert torch.equal(pictures, model.preprocess(given.sketch, "sketch"))
    assert torch.equal(order, model._orders[model._order_of(given.ids[4:])])
    torch.testing.assert_close(encoded.photo, model.embed(given.photo, "photo"), atol=1e-5, rtol=0)
    alone = F.normalize(model.features(own(pictures, order, 3), "sketch"), dim=-1)
    torch.testing.assert_close(encoded.extra["sketch_shuffled"], alone, atol=1e-5, rtol=1e-5)


def test_orders_follow_the_sketch_and_the_step_and_not_the_piece():
    model, given = splip(), batch()
    whole = model.encode(given).extra
    parts = [model.encode(part).extra for part in split(given, 2)]
    for name in whole:
        torch.testing.assert_close(
            whole[name], torch.cat([p[name] for p in parts]), atol=1e-4, rtol=0
        )
    first = model._order_of(given.ids)
    model.batch_seed = 5
    assert not torch.equal(first, model._order_of(given.ids))
    assert torch.equal(model._order_of(given.ids)[2:4], model._order_of(given.ids[2:4]))


def test_orders_are_different_and_none_is_the_usual_one():
    orders = drawn_orders(30, 9)
    assert len({tuple(row) for row in orders.tolist()}) == 30
    assert orders.sort(dim=1).values.equal(torch.arange(9).expand(30, -1))
    assert not (orders == torch.arange(9)).all(1).any()
    assert torch.equal(orders, drawn_orders(30, 9))
    with pytest.raises(UsageError, match="jigsaw_orders=30, but 4 cells have 23 orders"):
        splip(jigsaw_grid=2)
    assert len(splip(jigsaw_grid=2, jigsaw_orders=23)._orders) == 23


def test_a_tower_that_is_not_clips_own_is_refused():
    towers = {
        "name": "RN50",
        "pretrained": "none",
        "extra": {
            "embed_dim": 16,
            "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
            "text_cfg": {
                "context_length": 16,
                "vocab_size": 49408,
                "width": 16,
                "heads": 2,
                "layers": 1,
            },
        },
    }
    with pytest.raises(UsageError, match="The towers of RN50 are not built like CLIP's own"):
        splip(backbone=towers)


def test_settings_that_change_nothing_are_named():
    assert splip(jigsaw=0.0, jigsaw_grid=4).remarks(32) == [
        "jigsaw_grid=4 changes nothing with jigsaw=0"
    ]
    assert splip(jigsaw_grid=4).remarks(32) == []


def test_small_towers_say_how_they_start():
    with pytest.raises(UsageError, match="have no published weights") as found:
        create("splip", device="cpu", layers=[{"preset": "small"}], weights="pretrained")
    assert found.value.hint == "Add --weights none."


def test_texts_without_place_for_a_name_are_refused():
    with pytest.raises(UsageError, match="text_prompts=11 and the 4 tokens before a name") as found:
        splip(text_prompts=11)
    assert found.value.hint == "Take 10 or fewer."
    model = splip(text_prompts=10)
    assert len({tuple(row) for row in model._class_tokens("photo").tokens.tolist()}) == 3
    with pytest.raises(UsageError, match="sketch_template='x{' has no single {}"):
        splip(sketch_template="x{")


def test_other_weights_keep_the_blocks_and_a_checkpoint_has_the_solver():
    model = splip()
    blocks = [p.clone() for p in model.encoder.blocks.parameters()]
    other = open_clip.create_model("tiny-clip").eval()
    model.adopt(other)
    assert all(
        torch.equal(a, b) for a, b in zip(blocks, model.encoder.blocks.parameters(), strict=True)
    )
    names = set(model.checkpoint_state())
    assert any(name.startswith("solver.classifier") for name in names)
    assert any(name.startswith("blocks.to_text") for name in names)
    assert not any("conv1" in name for name in names)
