"""What every registered model must do, with small settings and random values."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import CLASSES, SMALL, batch, images, small

from sbirctl.core.config import to_dict
from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.models import MODELS, Model, ModelSettings, rebuild
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.training.optim import make_optimizer, set_trainable
from sbirctl.training.step import loss_terms

TRAINABLE = [name for name in MODELS.names() if MODELS.get(name).trainable]


@pytest.mark.parametrize("name", TRAINABLE)
def test_losses_are_finite_and_reach_every_group(name: str) -> None:
    model = small(name).train()
    for stage in model.recipe():
        model.zero_grad()
        terms = loss_terms(model, batch(), stage.name)
        assert all(torch.isfinite(v) and v.ndim == 0 for v in terms.values())
        terms["total"].backward()
        for group in stage.groups:
            assert group.lr > 0
            assert len(list(group.params)) > 0
            assert any(p.grad is not None and p.grad.abs().max() > 0 for p in group.params)


@pytest.mark.parametrize("name", TRAINABLE)
def test_groups_share_no_parameter(name: str) -> None:
    for stage in small(name).recipe():
        seen = [id(p) for group in stage.groups for p in group.params]
        assert len(seen) == len(set(seen))


@pytest.mark.parametrize("name", ["baseline", "ffmln", "semi3"])
def test_a_step_leaves_frozen_stages_as_they_are(name: str) -> None:
    frozen = {"backbone": {"name": SMALL[name]["backbone"], "freeze": 5}}  # of 5
    for stage in small(name, settings=frozen).recipe():
        model = small(name, settings=frozen)
        model.begin(stage.name)
        (stage,) = (s for s in model.recipe() if s.name == stage.name)
        set_trainable(model, stage, 10)
        before = {key: value.clone() for key, value in model.train().state_dict().items()}
        loss_terms(model, batch(), stage.name)["total"].backward()
        make_optimizer(stage, model.settings).step()
        moved = {key for key, value in model.state_dict().items() if not value.equal(before[key])}
        assert moved
        assert not any(".net.blocks." in key or ".net.conv_stem." in key for key in moved)


@pytest.mark.parametrize("name", MODELS.names())
@pytest.mark.parametrize("channels", [1, 3])
def test_embeddings_are_normalised_float32_whatever_the_batch(name: str, channels: int) -> None:
    model = small(name)
    given = images(5, channels)
    together = model.embed(given, "sketch", images(5, 1))
    alone = torch.cat(
        [model.embed(given[i : i + 1], "sketch", images(5, 1)[i : i + 1]) for i in range(5)]
    )
    assert together.shape == (5, model.dim)
    assert together.dtype == torch.float32
    assert not together.requires_grad
    torch.testing.assert_close(together.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", MODELS.names())
def test_a_grey_image_equals_its_three_channels(name: str) -> None:
    model = small(name)
    grey = images(2, 1)
    torch.testing.assert_close(
        model.embed(grey, "sketch"), model.embed(grey.expand(-1, 3, -1, -1), "sketch")
    )


@pytest.mark.parametrize("name", MODELS.names())
def test_encode_agrees_with_embed(name: str) -> None:
    model = small(name)
    given = batch()
    with torch.no_grad():
        encoded = model.encode(given)
    photo = model.embed(given.photo, "photo", given.edge)
    torch.testing.assert_close(encoded.photo, photo, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        encoded.sketch, model.embed(given.sketch, "sketch"), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_checkpoint_and_its_settings_make_the_model_again(name: str) -> None:
    model = small(name)
    with torch.no_grad():
        for stage in model.recipe():
            for group in stage.groups:
                for parameter in group.params:
                    parameter.add_(0.1 * torch.randn_like(parameter))
    # Frozen weights are not in the checkpoint: there the same seed makes them again.
    partial = not set(model.state_dict()) <= set(model.checkpoint_state())
    seed = 0 if partial else 1
    again = rebuild(name, to_dict(model.settings), CLASSES, device="cpu", seed=seed)
    given = images(3)
    assert not torch.allclose(again.embed(given, "photo"), model.embed(given, "photo"))
    again.load_checkpoint_state(model.checkpoint_state())
    assert again.settings == model.settings
    torch.testing.assert_close(again.embed(given, "photo"), model.embed(given, "photo"))


@pytest.mark.parametrize("name", MODELS.names())
def test_bf16_embeds_nearly_the_same(name: str) -> None:
    given = images(3)
    exact = small(name).embed(given, "photo")
    rounded = small(name, dtype="bf16").embed(given, "photo")
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    assert (exact * rounded).sum(1).min() > 0.98


@pytest.mark.parametrize("name", MODELS.names())
def test_one_seed_one_model_and_torchs_generator_is_left_alone(name: str) -> None:
    before = torch.get_rng_state()
    first, second = small(name), small(name)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_methods_a_model_lacks_are_named_when_it_is_made() -> None:
    class Half(Model):
        def encode(self, batch: Batch) -> Encoded:
            return Encoded()

    with pytest.raises(TypeError, match=r"Half .*features.*load_weights.*losses.*recipe"):
        Half(ModelSettings())  # type: ignore[abstract]


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_batch_without_photos_says_so(name: str) -> None:
    with pytest.raises(MismatchError, match="The batch has no photo images"):
        small(name).encode(replace(batch(), photo=None))


@pytest.mark.parametrize("name", ["clip", "drclip"])
def test_a_clip_takes_the_size_of_its_architecture_alone(name: str) -> None:
    with pytest.raises(UsageError, match="32 pixels, not size=48"):
        small(name, settings={"size": 48})


def test_a_transformer_of_timm_takes_its_own_size_alone() -> None:
    vit = {"backbone": {"name": "vit_tiny_patch16_224"}, "size": 64}
    with pytest.raises(UsageError, match="size=64 do not fit the network of baseline: "):
        small("baseline", settings=vit)
    assert small("baseline", settings={**vit, "size": 224}).settings.size == 224


@pytest.mark.parametrize("name", TRAINABLE)
def test_mirroring_instances_is_remarked(name: str) -> None:
    instances = ("shoe/1", "shoe/2", "shoe/3")
    for classes, mirror in ((CLASSES, True), (instances, True), (instances, False)):
        remarks = small(name, classes, {"mirror": mirror}).remarks(64)
        said = any("mirror=true" in line for line in remarks)
        assert said == (mirror and classes == instances)
