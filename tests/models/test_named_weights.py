"""Open weights by name: the values of the libraries' own records, and what a name sets."""

from __future__ import annotations

import logging

import pytest
import torch

from sbirctl.core.config import kinds
from sbirctl.core.errors import UsageError
from sbirctl.core.progress import Reporter
from sbirctl.models import (
    MODELS,
    create,
    find_named_weights,
    named_weights,
    publishers,
    resolve_settings,
    search_weights,
    starting_models,
)
from sbirctl.models._factory import _check_normalisation
from sbirctl.training.config import training_config

# Building the large ones takes seconds each, and which values they have changes with the library.
OF_OPEN_CLIP = [
    pytest.param(
        one, id=one.name, marks=[] if one.name.startswith("clip-vit-b32") else [pytest.mark.slow]
    )
    for one in named_weights().values()
    if one.library == "open_clip"
]
OF_TIMM = [one for one in named_weights().values() if one.library == "timm"]


class Listener(Reporter):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.mark.parametrize("one", OF_TIMM, ids=lambda one: one.name)
def test_timm_says_the_same(one):
    import timm

    with torch.device("meta"):
        net = timm.create_model(one.model, num_classes=0)
    config = net.pretrained_cfg
    assert tuple(config["input_size"]) == (3, one.size, one.size)
    assert (tuple(config["mean"]), tuple(config["std"])) == (one.mean, one.std)
    assert config["interpolation"] == one.resize
    assert sum(p.numel() for p in net.parameters()) == one.parameters == one.image_parameters
    assert (getattr(net, "head_hidden_size", None) or net.num_features) == one.dim


@pytest.mark.parametrize("one", OF_OPEN_CLIP)
def test_open_clip_says_the_same(one):
    import open_clip

    config = open_clip.get_pretrained_cfg(one.model, one.tag)
    assert (tuple(config["mean"]), tuple(config["std"])) == (one.mean, one.std)
    assert config["interpolation"] == one.resize
    logging.disable(logging.WARNING)  # of random values, on the root logger
    try:
        net = open_clip.create_model(
            one.model,
            pretrained_text=False,
            force_quick_gelu=bool(config.get("quick_gelu")),
            device="meta",
        )
    finally:
        logging.disable(logging.NOTSET)
    side = net.visual.image_size
    assert (side if isinstance(side, int) else side[0]) == one.size
    assert open_clip.get_model_config(one.model)["embed_dim"] == one.dim
    assert sum(p.numel() for p in net.parameters()) == one.parameters
    assert sum(p.numel() for p in net.visual.parameters()) == one.image_parameters


def test_openai_s_come_with_quickgelu_and_others_do_not():
    """The activation hangs on the tag, which the name sets."""
    from sbirctl.models.layers.clip_towers import build_clip

    def activations(name):
        settings = resolve_settings("clip", weights=name)
        clip = build_clip(settings.backbone)
        return {type(m).__name__ for m in clip.visual.modules() if "GELU" in type(m).__name__}

    assert activations("clip-vit-b32-openai") == {"QuickGELU"}
    assert activations("clip-vit-b32-datacomp") == {"GELU"}


def test_one_name_sets_what_belongs_to_it_over_a_preset_and_under_a_setting():
    found = resolve_settings("drclip", [{"preset": "paper"}], weights="clip-vit-l14-laion2b")
    assert (found.backbone.name, found.backbone.pretrained) == ("ViT-L-14", "laion2b_s32b_b82k")
    assert (found.size, found.mean, found.std) == (224, (0.5,) * 3, (0.5,) * 3)
    listener = Listener()
    found = resolve_settings(
        "ffmln", [{"size": "128"}], weights="efficientnet-lite0", report=listener
    )
    assert (found.size, found.backbone.name) == (128, "tf_efficientnet_lite0.in1k")
    assert listener.warnings == ["efficientnet-lite0 was trained with size=224, not 128."]


@pytest.mark.parametrize("name", MODELS.names())
def test_another_mean_than_the_weights_is_warned_of_by_every_model(name):
    listener = Listener()
    layer = {"mean": "0.1"}
    if "backbone.pretrained" in kinds(MODELS.get(name).Settings):
        layer["backbone"] = {"pretrained": "openai"}
    checked = MODELS.get(name).check_settings
    model = create(name, device="cpu", weights="none", classes=("a", "b"), layers=[checked, layer])
    _check_normalisation(model, listener)
    assert "trained with mean=" in listener.warnings[0]
    assert ", not 0.1" in listener.warnings[0]


def test_every_row_is_of_one_of_the_two_libraries_and_so_compared():
    listed = len(OF_TIMM) + len(OF_OPEN_CLIP)
    assert listed == len(named_weights()) > 30


def test_another_network_than_the_weights_is_warned_of():
    listener = Listener()
    resolve_settings("baseline", [{"backbone": "resnet18"}], weights="mobilenetv2", report=listener)
    assert listener.warnings == [
        "mobilenetv2 was trained with backbone.name=mobilenetv2_100.ra_in1k, not resnet18."
    ]


def test_a_model_of_another_library_is_refused_with_what_to_type():
    with pytest.raises(UsageError, match="drclip does not start from mobilenetv2") as caught:
        create("drclip", weights="mobilenetv2")
    assert "sbirctl weights --model drclip" in caught.value.hint
    assert starting_models(named_weights()["mobilenetv2"]) == (
        "baseline",
        "ffmln",
        "sake",
        "semi3",
    )


def test_zse_takes_those_named_weights_that_its_transformer_is_made_for():
    fits = {}
    for name, one in named_weights().items():
        if one.library == "timm":
            with torch.device("meta"):
                try:
                    MODELS.get("zse")(resolve_settings("zse", [one.layer]))
                    fits[name] = True
                except UsageError:
                    fits[name] = False
    known = {name for name in fits if "zse" in starting_models(named_weights()[name])}
    assert {name for name, fit in fits.items() if fit} == known
    with pytest.raises(UsageError, match="zse does not start from mobilenetv2: it has no class"):
        create("zse", weights="mobilenetv2")


def test_a_run_is_the_same_however_its_weights_are_named():
    by_name = training_config("baseline", [], weights="mobilenetv2")
    layers = [{**named_weights()["mobilenetv2"].layer}]
    assert by_name == training_config("baseline", layers, weights="pretrained")


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mobilenetv2").write_bytes(b"")
    assert find_named_weights("mobilenetv2") is None
    assert publishers("mobilenetv2") == "mobilenetv2"


def test_what_a_gallery_s_clip_starts_from_is_free_and_has_the_best_figure_of_its_network():
    chosen = search_weights()
    assert chosen.text
    assert chosen.licence in ("MIT", "Apache-2.0", "BSD-3-Clause")
    same = [one for one in named_weights().values() if one.model == chosen.model and one.figure]
    figures = {one.name: float(one.figure.split()[1]) for one in same}
    assert len(figures) >= 3
    assert max(figures, key=figures.get) == chosen.name
