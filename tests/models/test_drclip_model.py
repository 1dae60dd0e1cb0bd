"""Dr. CLIP: the prompted encoder against CLIP itself, and the losses against their functions."""

from __future__ import annotations

import copy
from dataclasses import replace

import open_clip
import pytest
import torch
from small_models import CLASSES, TINY_CLIP, batch, images
from torch.nn import functional as F

from sbirctl.core.config import to_dict
from sbirctl.core.errors import CorruptError, MismatchError, UsageError
from sbirctl.losses import (
    class_logits,
    classification,
    distribution_shift,
    domain_balanced_quadruplet,
    pair_relation,
)
from sbirctl.models import create, rebuild
from sbirctl.models.drclip import DrClip
from sbirctl.models.layers.class_texts import text_of_class
from sbirctl.models.layers.prompted_clip import ModalityLayerNorm, PromptedEncoder
from sbirctl.training.step import loss_terms

SMALL = {"backbone": {"name": "tiny-clip", "pretrained": "none"}, "size": 32}


def drclip(classes=CLASSES, **settings) -> DrClip:
    layers = [SMALL, settings]
    return create("drclip", device="cpu", weights="none", classes=classes, layers=layers)


def tower(**more):
    torch.manual_seed(0)
    clip = open_clip.create_model("tiny-clip", **more).eval().requires_grad_(False)
    for module in clip.visual.modules():  # untouched LayerNorms would hide a wrong affine
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.normal_(module.weight, 1, 0.2)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    return clip


def test_without_prompts_the_encoder_is_clip_for_both_modalities():
    clip, given = tower(), torch.randn(5, 3, 32, 32)
    plain = clip.encode_image(given)
    encoder = PromptedEncoder(clip.visual, torch.zeros(2, 0, 32))
    for found in (
        encoder(given[:2], given[2:]),
        encoder(given, None),
        encoder(None, given),
        encoder.reference(given),
        encoder.without_prompts(given),
    ):
        torch.testing.assert_close(found, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("branches", [1, 2])
@pytest.mark.parametrize("position", ["after", "before"])
def test_one_joint_pass_equals_one_pass_a_modality(branches, position):
    encoder = PromptedEncoder(
        tower().visual,
        torch.randn(2, 3, 32),
        position=position,
        branches=branches,
        train=("norms", "prompts", "proj"),
    )
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    sketches, photos = torch.randn(2, 3, 32, 32), torch.randn(3, 3, 32, 32)
    together = encoder(sketches, photos)
    torch.testing.assert_close(together[:2], encoder(sketches, None), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together[2:], encoder(None, photos), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(encoder(photos, None), encoder(None, photos))


def test_prompts_before_are_read_out_at_the_first_prompt():
    encoder = PromptedEncoder(tower().visual, torch.randn(2, 3, 32), position="before")
    given = torch.randn(2, 3, 32, 32)
    one = encoder(None, given)
    with torch.no_grad():
        encoder.visual.transformer.resblocks = torch.nn.ModuleList()  # tokens stay as they came in
        first = F.layer_norm(
            encoder.prompts[0, 0],
            (32,),
            encoder.visual.ln_pre.weight[0],
            encoder.visual.ln_pre.bias[0],
        )
        expected = F.layer_norm(
            first, (32,), encoder.visual.ln_post.weight[0], encoder.visual.ln_post.bias[0]
        )
        found = encoder(None, given)
    torch.testing.assert_close(found, (expected @ encoder.visual.proj).expand(2, -1))
    assert not torch.allclose(one, found)


def test_a_tower_without_a_class_token_is_refused():
    with pytest.raises(UsageError, match="class token"):
        PromptedEncoder(open_clip.create_model("RN50").visual, torch.zeros(2, 3, 8))


def test_gradient_reaches_layer_norms_and_prompts_and_nothing_else():
    model = drclip().train()
    loss_terms(model, batch(), "train")["total"].backward()
    touched = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    norms = {
        f"{name}.{part}"
        for name, module in model.named_modules()
        if isinstance(module, ModalityLayerNorm)
        for part in ("weight", "bias")
    }
    assert touched == norms | {"encoder.prompts"}


def test_training_leaves_the_frozen_weights_and_the_reference_as_they_were():
    model = drclip().train()
    digest, given = model.encoder.frozen_digest(), torch.randn(3, 3, 32, 32)
    before = model.encoder.reference(given)
    parameters = [p for group in model.recipe()[0].groups for p in group.params]
    optimizer = torch.optim.Adam(parameters, 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss_terms(model, batch(), "train")["total"].backward()
        optimizer.step()
    assert model.encoder.frozen_digest() == digest
    assert torch.equal(model.encoder.reference(given), before)


def test_the_terms_are_those_of_the_equations():
    # Anchors and positives are half of the images, so that a mean over all of them is another one.
    tuples = torch.tensor([[0, 0, 1, 3], [2, 2, 3, 1]])
    model, given = drclip(rp_center=True), replace(batch(), tuples=tuples)
    model._texts = F.normalize(torch.randn(len(CLASSES), model.dim), dim=1), torch.arange(3)
    encoded = model.encode(given)
    terms = model.losses(encoded, given, "train")
    texts = model._texts[0]
    s, p, label = encoded.sketch, encoded.photo, given.sketch_label
    a, pos, neg, neg_s = given.tuples.T
    reference = model.encoder.reference
    raw_s = reference(model.preprocess(given.sketch, "sketch"))
    raw_p = reference(model.preprocess(given.photo, "photo"))
    fs = distribution_shift(class_logits(s[a], texts), class_logits(raw_s[a], texts))
    fs = fs + distribution_shift(class_logits(p[pos], texts), class_logits(raw_p[pos], texts))
    expected = {
        "cls_sketch": classification(class_logits(s[a], texts), label[a]),
        "cls_photo": classification(class_logits(p[pos], texts), label[pos]),
        "fs": fs,
        "dbq": domain_balanced_quadruplet(s[a], p[pos], p[neg], s[neg_s]),
        "rp": pair_relation(
            class_logits(torch.cat([s[a], s[neg_s]]), texts),
            class_logits(torch.cat([p[pos], p[neg]]), texts),
            torch.cat([label[a], label[neg_s]]),
            torch.cat([label[pos], label[neg]]),
            center=True,
        ),
    }
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, atol=1e-5, rtol=1e-5)
    total = terms["cls_sketch"] + terms["cls_photo"] + 15 * terms["fs"]
    torch.testing.assert_close(terms["total"], total + 4 * terms["dbq"] + 4 * terms["rp"])


@pytest.mark.parametrize("direction", ["frozen-trained", "trained-frozen"])
@pytest.mark.parametrize("mean", ["classes", "images"])
@pytest.mark.parametrize("temperature", ["eq1", "none"])
def test_eq_4_is_a_loop_over_anchors_and_positives(direction, mean, temperature):
    chosen = {"fs_direction": direction, "fs_mean": mean, "fs_temperature": temperature}
    model = drclip(temperature=0.2, **chosen)
    given = batch()
    encoded = model.encode(given)
    generator = torch.Generator().manual_seed(0)
    texts = F.normalize(torch.randn(len(CLASSES), model.dim, generator=generator), dim=1)
    model._texts = texts, torch.arange(len(CLASSES))  # the random text tower's are nearly equal
    texts = texts.double()
    t = 0.2 if temperature == "eq1" else 1.0
    expected = 0.0
    for side, column in (("sketch", 0), ("photo", 1)):
        raw = model.encoder.reference(model.preprocess(given.images(side), side)).double()
        for row in given.tuples[:, column].tolist():
            now = (encoded.embeddings(side)[row].double() @ texts.T / t).softmax(0)
            before = (F.normalize(raw[row], dim=0) @ texts.T / t).softmax(0)
            first, second = (before, now) if direction == "frozen-trained" else (now, before)
            kl = (first * (first.log() - second.log())).sum()
            expected += kl / len(given.tuples) / (len(CLASSES) if mean == "classes" else 1)
    found = model.losses(encoded, given, "train")["fs"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)
    assert found.item() > 1e-5


@pytest.mark.parametrize(
    "off, partition",
    [
        ("cls_weight", {"cls_sketch": 1, "cls_photo": 1}),
        ("lambda1", {"fs": 15}),
        ("lambda2", {"dbq": 4}),
        ("lambda3", {"rp": 4}),
    ],
)
def test_each_term_can_be_switched_off(off, partition):
    given = batch()
    full, without = (
        loss_terms(drclip(), given, "train"),
        loss_terms(drclip(**{off: 0}), given, "train"),
    )
    gone = sum(weight * full[name] for name, weight in partition.items())
    torch.testing.assert_close(without["total"], full["total"] - gone)


def test_the_released_relation_loss_has_no_gradient():
    given = batch()
    terms = loss_terms(drclip(rp_gradient=False), given, "train")
    assert not terms["rp"].requires_grad
    torch.testing.assert_close(terms["rp"], loss_terms(drclip(), given, "train")["rp"])


def test_a_kept_reference_is_the_computed_one_bit_for_bit():
    model = drclip()
    many = images(40, seed=5)
    given = model.preprocess(many, "photo")
    names = [f"photo {i}" for i in range(40)]
    first = torch.cat(
        [model._reference(given[i : i + 7], names[i : i + 7]) for i in range(0, 40, 7)]
    )
    model._known_reference.clear()
    assert torch.equal(model._reference(given, names), first)
    assert torch.equal(model._reference(given[5:9] * 0, names[5:9]), first[5:9])


def test_with_augmentation_nothing_is_kept():
    model = drclip(augment="flip")
    given = model.preprocess(images(2), "photo")
    model._reference(given, ["a", "b"])
    assert not torch.equal(
        model._reference(given * 0, ["a", "b"]), model._reference(given, ["a", "b"])
    )


def test_texts_of_classes():
    assert text_of_class("car_(sedan)") == "car (sedan)"
    assert text_of_class("shoe/2429245009") == "2429245009"
    assert text_of_class("office_chair/x_v1", "category") == "office chair"


def test_category_texts_need_two_categories():
    classes = ("shoe/1", "shoe/2", "shoe/3")
    loss_terms(drclip(classes), batch(), "train")
    with pytest.raises(UsageError, match="'shoe'"):
        loss_terms(drclip(classes, fg_text="category"), batch(), "train")
    two = drclip(("shoe/1", "shoe/2", "chair/3"), fg_text="category")
    texts, index = two.text_features()
    assert len(texts) == 2
    assert index.tolist() == [0, 0, 1]


def test_instances_of_one_name_in_two_categories_are_two_classes():
    model = drclip(("cow/1", "shoe/1", "shoe/2"))
    texts, index = model.text_features()
    assert index.tolist() == [0, 1, 2]
    assert torch.equal(texts[0], texts[1])
    assert not torch.equal(texts[1], texts[2])


def test_many_texts_are_encoded_in_pieces_and_equal_one_by_one():
    model = drclip()
    seen = []
    model.text.transformer.register_forward_pre_hook(lambda m, given: seen.append(len(given[0])))
    names = [f"photo {n}" for n in range(600)]
    found = model.embed_text(names)
    assert len(seen) == 3
    assert max(seen) == 256
    for row in (0, 255, 256, 511, 512, 599):
        torch.testing.assert_close(found[row], model.embed_text([names[row]])[0])


def test_without_negative_sketches_none_is_encoded():
    plan = drclip(preset="clip-all", backbone=SMALL["backbone"]).recipe()[0].plan
    assert not plan.negative_sketch
    assert drclip().recipe()[0].plan.negative_sketch
    model, given = drclip(negative_sketch=False), batch()
    three = replace(given, tuples=given.tuples[:, :3])
    encoded = model.encode(three)
    terms = model.losses(encoded, three, "train")
    s, p = encoded.sketch, encoded.photo
    anchor, positive, negative = three.tuples.T
    hinge = (s[anchor] * (p[negative] - p[positive])).sum(1) + 0.3
    torch.testing.assert_close(terms["dbq"], hinge.relu().mean())
    texts = model.embed_text([f"a photo of a {name}" for name in CLASSES])
    logits = [F.normalize(x @ texts.T, dim=1) for x in (s, p)]
    score = (logits[0][anchor] @ logits[1][torch.cat([positive, negative])].T).sigmoid()
    photo_label = given.photo_label[torch.cat([positive, negative])]
    same = given.sketch_label[anchor][:, None] == photo_label
    torch.testing.assert_close(terms["rp"], (score - same.float()).square().mean())


def test_under_autocast_norms_and_prompts_keep_their_digits():
    """A change below bfloat16's digits reaches the output of the first normalisation."""
    model = drclip()
    ln_pre, seen = model.encoder.visual.ln_pre, []
    ln_pre.register_forward_hook(lambda module, given, found: seen.append(found))
    photo = model.preprocess(images(2), "photo")
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for step in (0, 2e-4):  # bfloat16 has steps of 8e-3 at 1
            ln_pre.weight.add_(step)
            model.encoder(None, photo)
            with torch.no_grad():
                model.encoder.prompts.add_(step)
            model.encoder(None, photo)
    norm_moved = (seen[2] - seen[1])[:, -4:]
    assert seen[0].dtype == torch.float32
    assert 0 < norm_moved.abs().max() < 5e-3
    assert 0 < (seen[3] - seen[2])[:, -3:].abs().max() < 5e-3


def test_a_norm_of_bfloat16_uses_its_weights_as_they_are():
    norm = drclip().encoder.visual.ln_post
    x = torch.randn(64, 32).bfloat16()
    with torch.no_grad():
        norm.weight.copy_(1 + 0.1 * torch.randn_like(norm.weight))
        norm.bias.copy_(0.1 * torch.randn_like(norm.bias))
        plain = F.layer_norm(x.float(), (32,), norm.weight[0], norm.bias[0], norm.eps)
        assert torch.equal(norm(x), plain.bfloat16())


def test_the_digest_of_frozen_weights_is_computed_once(monkeypatch):
    model, calls = drclip(), []
    own = PromptedEncoder.frozen_digest
    monkeypatch.setattr(
        PromptedEncoder, "frozen_digest", lambda encoder: calls.append(1) or own(encoder)
    )
    state = model.checkpoint_state()
    model.load_checkpoint_state(state)
    assert len(calls) == 1
    model.adopt(tower())  # other frozen weights, another digest
    assert model.checkpoint_state()["frozen.sha256"].tolist() != state["frozen.sha256"].tolist()
    assert len(calls) == 2


def test_a_size_the_positions_are_not_for_is_refused():
    with pytest.raises(UsageError, match="images of 32 pixels") as caught:
        drclip(size=64)
    assert "--set size=32" in caught.value.hint


def authors_checkpoint(prompts=3):
    """What their `torch.save(model.state_dict())` holds, and its sketch and photo features."""
    clip = tower()
    sketch = copy.deepcopy(clip.visual)
    photo = copy.deepcopy(clip.visual)
    for part in (sketch, photo):
        for name, value in part.named_parameters():
            if ".ln_" in f".{name}" or name == "proj":
                value.add_(0.1 * torch.randn_like(value))
    tokens = torch.randn(2, prompts, 32)
    given = torch.randn(3, 3, 32, 32)
    features = {}
    for name, part, prompt in (("sketch", sketch, tokens[0]), ("photo", photo, tokens[1])):
        x = part.conv1(given).flatten(2).transpose(1, 2)
        x = torch.cat([part.class_embedding.expand(3, 1, -1), x], 1) + part.positional_embedding
        x = part.ln_pre(torch.cat([prompt.expand(3, -1, -1), x], 1))
        features[name] = part.ln_post(part.transformer(x)[:, 0]) @ part.proj
    clip.visual = sketch
    state = {f"clip_model.{k}": v for k, v in clip.state_dict().items()}
    state |= {f"sketch_encoder.{k}": v for k, v in sketch.state_dict().items()}
    state |= {f"photo_encoder.{k}": v for k, v in photo.state_dict().items()}
    return state | {"sketch_prompt": tokens[0], "photo_prompt": tokens[1]}, given, features


def test_a_checkpoint_of_the_authors_code_gives_its_features(tmp_path):
    state, given, features = authors_checkpoint()
    torch.save(state, tmp_path / "model.pth")
    layers = [SMALL, {"preset": "released"}]
    made = create("drclip", device="cpu", weights=tmp_path / "model.pth", layers=layers)
    with torch.no_grad():
        torch.testing.assert_close(made.features(given, "sketch"), features["sketch"])
        torch.testing.assert_close(made.features(given, "photo"), features["photo"])
    assert made.weights.name == "model.pth"
    tokens = open_clip.get_tokenizer("tiny-clip")(["a photo of a cat"])
    clip = tower()  # whose text side the file holds
    with torch.no_grad():
        text = F.normalize(clip.encode_text(tokens), dim=-1)
    torch.testing.assert_close(made.embed_text(["a photo of a cat"]), text)


def test_a_checkpoint_of_the_authors_code_needs_its_settings(tmp_path):
    state, _, _ = authors_checkpoint(prompts=2)
    torch.save(state, tmp_path / "model.pth")
    for layer in ({}, {"preset": "released"}):
        with pytest.raises(MismatchError, match="with 2 prompts") as caught:
            create("drclip", weights=tmp_path / "model.pth", device="cpu", layers=[SMALL, layer])
        assert "--set preset=released --set prompts=2" in caught.value.hint
    state["photo_encoder.conv1.weight"] = state["photo_encoder.conv1.weight"] + 1
    torch.save(state, tmp_path / "model.pth")
    layers = [SMALL, {"preset": "released", "prompts": 2}]
    with pytest.raises(CorruptError, match="do not belong together"):
        create("drclip", weights=tmp_path / "model.pth", device="cpu", layers=layers)


def test_fine_grained_negatives_are_of_the_same_category():
    assert drclip(("shoe/1", "shoe/2")).recipe()[0].plan.same_category
    assert not drclip().recipe()[0].plan.same_category


def test_a_checkpoint_is_small_and_bound_to_its_backbone():
    model = drclip()
    state = model.checkpoint_state()
    trained = {n for n, p in model.encoder.named_parameters() if p.requires_grad}
    assert set(state) == trained | {"frozen.sha256"}
    other = rebuild("drclip", to_dict(model.settings), CLASSES, device="cpu", seed=3)
    with pytest.raises(MismatchError, match="tiny-clip"):
        other.load_checkpoint_state(state)
    fewer = drclip(prompts=2)
    with pytest.raises(MismatchError):
        fewer.load_checkpoint_state(state)


@pytest.mark.parametrize("preset", ["released", "clip-all"])
def test_presets_train(preset):
    model = drclip(preset=preset).train()
    terms = loss_terms(model, batch(), "train")
    terms["total"].backward()
    grown = {n.rpartition(".")[2] for n in model.checkpoint_state()}
    assert "proj" in grown
    assert ("in_proj_weight" in grown) == (preset == "clip-all")
    if preset == "clip-all":
        torch.testing.assert_close(terms["total"], terms["dbq"])


def test_loading_weights_keeps_the_prompts_and_takes_the_norms(tmp_path):
    clip = tower()
    file = tmp_path / "w.pt"
    torch.save(clip.state_dict(), file)
    model = drclip()
    prompts = model.encoder.prompts.detach().clone()
    model.load_weights(str(file))
    assert torch.equal(model.encoder.prompts, prompts)
    given = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.encoder.reference(given), clip.encode_image(given))


def test_text_features_are_open_clips():
    model = drclip()
    tokens = open_clip.get_tokenizer("tiny-clip")(["a photo of a cat"])
    expected = F.normalize(model.text.encode_text(tokens), dim=-1)
    torch.testing.assert_close(model.embed_text(["a photo of a cat"]), expected)


def test_a_text_tower_of_another_context_gets_texts_of_its_own_length():
    towers = {**TINY_CLIP, "text_cfg": {**TINY_CLIP["text_cfg"], "context_length": 7}}
    backbone = {"name": "ViT-B-32", "pretrained": "none", **towers}  # whose own texts have 77
    model = drclip(backbone=backbone)
    tokens = open_clip.get_tokenizer("ViT-B-32")(["a photo of a cat"], context_length=7)
    expected = F.normalize(model.text.encode_text(tokens), dim=-1)
    torch.testing.assert_close(model.embed_text(["a photo of a cat"]), expected)


def test_accumulated_pieces_give_the_whole_batchs_gradient():
    from contextlib import nullcontext

    from sbirctl.training.step import gradients

    found = []
    for pieces in (1, 2):
        model = drclip().train()
        gradients(model, batch(), "train", pieces=pieces, seed=0, autocast=nullcontext())
        found.append(model.encoder.prompts.grad.clone())
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)
