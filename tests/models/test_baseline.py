"""The siamese baseline: what it embeds with, what its settings change."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from small_models import CLASSES, batch, images, small

from sbirctl.core.errors import UsageError
from sbirctl.core.progress import Reporter
from sbirctl.losses import batch_hard_triplet, normalised_softmax
from sbirctl.models import Model, create
from sbirctl.models._publishers import timm_state
from sbirctl.store.manifest import MODALITIES
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


FINE = {
    "backbone": "mobilenetv2_100",
    "size": 64,
    "level": 4,
    "grid": 2,
    "dim": 0,
    "mirror": False,
}


def test_a_grid_keeps_where_in_the_picture_something_is() -> None:
    """Cells of the map, one after the other: a mean of 2 x 2 of its 4 x 4 places each."""
    model = create("baseline", device="cpu", weights="none", layers=[FINE])
    given = images(2)
    maps = model.backbone.feature_maps(model.preprocess(given, "photo"))[3]
    assert maps.shape[1:] == (96, 4, 4)
    cells = [
        maps[:, :, row : row + 2, column : column + 2].mean((2, 3))
        for row in (0, 2)
        for column in (0, 2)
    ]
    expected = torch.stack(cells, dim=2).flatten(1)
    assert model.dim == 4 * 96
    torch.testing.assert_close(
        model.embed(given, "photo"), torch.nn.functional.normalize(expected, dim=1).detach()
    )


def test_each_modality_is_normalised_by_its_own_images() -> None:
    layers = [{**FINE, "modality_norm": True}]
    model = create("baseline", device="cpu", weights="none", classes=CLASSES, layers=layers)
    given = batch()
    model.train()
    pooled = {
        side: model._pooled(model.preprocess(given.images(side), side)) for side in MODALITIES
    }
    found = model.encode(given)
    for side, values in pooled.items():
        spread = (values.var(0, correction=0) + 1e-5).sqrt()
        expected = torch.nn.functional.normalize((values - values.mean(0)) / spread, dim=1)
        torch.testing.assert_close(found.embeddings(side), expected, atol=1e-4, rtol=1e-3)
        kept = model.norms[side].running_mean
        torch.testing.assert_close(kept, 0.1 * values.mean(0), atol=1e-5, rtol=1e-3)


def test_what_lies_behind_the_map_is_not_trained() -> None:
    layers = [{**FINE, "dim": 8}]
    model = create("baseline", device="cpu", weights="none", classes=CLASSES, layers=layers)
    groups = {group.name: group.params for group in model.recipe()[0].groups}
    loss_terms(model, batch(), "train")["total"].backward()
    assert all(parameter.grad is not None for parameter in groups["backbone"])
    assert len(groups["backbone"]) < len(list(model.backbone.parameters()))
    for parameter in model.parameters():  # as in a training: the groups are asked for again
        parameter.requires_grad_(False)
    assert len(model.recipe()[0].groups[0].params) == len(groups["backbone"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"level": 6}, "level=6, but mobilenetv2_100 has 5 levels"),
        ({"level": 5, "grid": 4}, "grid=4, but the map of level 5 has 2 x 2 cells at 64 pixels"),
        ({"level": 0, "grid": 2}, "grid=2 needs a feature map"),
    ],
)
def test_maps_and_grids_that_are_not_there(settings: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        create("baseline", device="cpu", weights="none", layers=[{**FINE, **settings}])


def test_embedding_may_have_a_size_of_its_own() -> None:
    settings = {"backbone": "mobilenetv2_100", "size": 32, "mirror": False}
    models = [
        create("baseline", device="cpu", weights="none", layers=[{**settings, **more}])
        for more in ({}, {"embed_size": 64}, {"size": 64})
    ]
    trained, larger, other = models
    given = images(2)
    assert larger.train().preprocess(given, "photo").shape[-1] == 32  # a step of training
    torch.testing.assert_close(
        larger.eval().embed(given, "photo"), other.embed(given, "photo"), atol=1e-6, rtol=1e-5
    )
    assert not torch.allclose(trained.embed(given, "photo"), other.embed(given, "photo"))


def other(**settings: object) -> object:
    layers = [{"backbone": "resnet10t", "size": 32, "dim": 8, **settings}]
    return create("baseline", device="cpu", weights="none", classes=CLASSES, layers=layers)


@pytest.mark.parametrize("margin", [0.2, 0.9])
def test_a_chosen_loss_has_the_models_margin(margin: float) -> None:
    model = other(loss="triplet", margin=margin)
    given = batch()
    encoded = model.encode(given)
    both = torch.cat([encoded.photo, encoded.sketch])
    labels = torch.cat([given.photo_label, given.sketch_label])
    terms = model.losses(encoded, given, "train")
    wanted = batch_hard_triplet(both, labels, margin=margin)
    torch.testing.assert_close(terms["total"], wanted)
    assert terms["total"] > 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "triplet", "temperature": 0.1}, "temperature=0.1 changes nothing"),
        ({"loss": "triplet", "triplet": 0.5}, "one name in the log"),
    ],
)
def test_settings_that_a_chosen_loss_has_no_use_for_are_refused(settings, said) -> None:
    with pytest.raises(UsageError, match=said):
        other(**settings)
    assert other(loss="contrastive", triplet=0.5, margin=0.1).loss.margin == 0.1


SMALL_DINO = {"img_size": 56, "embed_dim": 32, "num_heads": 2}


def _dino(preset: str, classes: tuple[str, ...] | None = CLASSES) -> Model:
    layers = [{"preset": preset, "backbone": SMALL_DINO, "size": 56}]
    return create("baseline", device="cpu", weights="none", classes=classes, layers=layers)


@pytest.mark.parametrize(("preset", "moved"), [("dinov2-frozen", ()), ("dinov2-tuned", "89")])
def test_dinov2_presets_train_the_last_blocks_or_none(preset: str, moved: str) -> None:
    model = _dino(preset)
    names = {id(p): n for n, p in model.backbone.net.named_parameters()}
    (group,) = [g for g in model.recipe()[0].groups if g.name == "backbone"]
    trained = {names[id(p)] for p in group.params}
    blocks = {n.split(".")[1] for n in trained if n.startswith("blocks.")}
    assert blocks == ({*moved, "10", "11"} if moved else set())
    assert {n for n in trained if not n.startswith("blocks.")} == {"norm.weight", "norm.bias"}
    assert model.expected_normalisation() == (model.settings.mean, model.settings.std)
    terms = loss_terms(model.train(), batch(), "train")
    assert torch.isfinite(terms["total"])


def test_untrained_dinov2_embeds_the_class_token() -> None:
    model = _dino("dinov2-frozen", None).eval()
    given = images(2, side=56)
    tokens = model.backbone.net.forward_features(model.preprocess(given, "photo"))
    expected = torch.nn.functional.normalize(tokens[:, 0], dim=1).detach()
    assert model.dim == 32
    torch.testing.assert_close(model.embed(given, "photo"), expected)


def test_published_dinov2_positions_are_resampled_to_the_preset_size() -> None:
    import timm

    name, small_net = "vit_small_patch14_dinov2.lvd142m", {"embed_dim": 32, "num_heads": 2}
    published = timm.create_model(name, num_classes=0, **small_net).state_dict()  # of 518 pixels
    state = timm_state(name, SMALL_DINO, published)
    assert published["pos_embed"].shape == (1, 37 * 37 + 1, 32)
    assert state["pos_embed"].shape == (1, 4 * 4 + 1, 32)
    assert torch.equal(state["blocks.0.attn.qkv.weight"], published["blocks.0.attn.qkv.weight"])


def test_a_file_of_518_pixels_is_resampled_with_a_remark_or_refused(tmp_path) -> None:
    import timm
    from safetensors.torch import save_file

    class Notes(Reporter):
        notes: ClassVar[list[str]] = []

        def note(self, message: str) -> None:
            self.notes.append(message)

    net = {"name": "vit_small_patch14_dinov2.lvd142m", "embed_dim": 32, "num_heads": 2, "depth": 1}
    arguments = {key: value for key, value in net.items() if key != "name"}
    file = tmp_path / "dino.safetensors"
    save_file(timm.create_model(net["name"], num_classes=0, **arguments).state_dict(), file)
    layers = [{"backbone": {**net, "img_size": 56}, "size": 56}]
    made = create("baseline", device="cpu", weights=file, layers=layers, report=Notes())
    assert Notes.notes == [
        "dino.safetensors: its positions of 37 x 37 patches are resampled to 4 x 4"
    ]
    assert made.backbone.net.pos_embed.shape == (1, 17, 32)
    with pytest.raises(UsageError, match="doesn't match model") as caught:
        create("baseline", device="cpu", weights=file, layers=[{"backbone": net, "size": 224}])
    assert "--set backbone.img_size=224" in caught.value.hint
