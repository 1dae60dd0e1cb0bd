"""Settings in layers, models by name."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file
from small_models import SMALL, images

from sbirctl.core.config import describe, kinds, parse_assignments
from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.core.progress import Reporter
from sbirctl.models import MODELS, _publishers, create, rebuild, resolve_settings
from sbirctl.models.layers.backbones import BackboneSettings
from sbirctl.models.layers.library_networks import build


class Listener(Reporter):
    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def test_layers_and_presets_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    presets = {"quick": {"epochs": 1, "lr": 0.5, "backbone": "resnet18"}}
    monkeypatch.setattr(MODELS.get("baseline"), "presets", presets)
    found = resolve_settings("baseline", [{"lr": "0.25"}, {"preset": "quick"}, {"dim": "64"}])
    assert (found.preset, found.epochs, found.lr, found.dim) == ("quick", 1, 0.25, 64)
    assert found.backbone.name == "resnet18"
    with pytest.raises(UsageError, match="no preset 'quik'") as caught:
        resolve_settings("baseline", [{"preset": "quik"}])
    assert "'quick'" in caught.value.hint


def test_no_preset_takes_one_of_a_layer_before_away() -> None:
    usual = resolve_settings("ffmln")
    released = resolve_settings("ffmln", [{"preset": "released"}])
    assert released != usual
    assert resolve_settings("ffmln", [{"preset": "released"}, {"preset": "none"}]) == usual


def test_unknown_names_and_keys() -> None:
    with pytest.raises(UsageError) as caught:
        create("basline")
    assert "'baseline'" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        resolve_settings("baseline", [{"lr_backbones": 1}])
    assert "'lr_backbone'" in caught.value.hint


def test_the_line_as_typed(tmp_path: Path) -> None:
    """MobileNetV2 with TensorFlow's padding and inputs in -1..1, from a file."""
    source = build(BackboneSettings("mobilenetv2_100", {"pad_type": "same"})).eval()
    path = tmp_path / "mobilenetv2_100_same.safetensors"
    save_file(source.net.state_dict(), path)
    typed = "backbone=mobilenetv2_100 backbone.pad_type=same mean=0.5 std=0.5 size=64 mirror=no"
    model = create(
        "baseline", device="cpu", weights=path, layers=[parse_assignments(typed.split())]
    )
    given = images(2, side=64)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(source(given / 127.5 - 1), dim=1)
    torch.testing.assert_close(model.embed(given, "photo"), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("mean", "warned"), [("0.485,0.456,0.406", 0), ("0.5", 1), ("0.48,0.45,0.40", 1)]
)
def test_another_mean_than_the_published_weights_is_said(
    mean: str, warned: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "published.safetensors"
    save_file(build(BackboneSettings("mobilenetv2_100")).net.state_dict(), path)
    monkeypatch.setattr(_publishers, "fetch", lambda published: path)
    listener = Listener()
    layer = {"backbone": "mobilenetv2_100", "mean": mean}
    create("baseline", device="cpu", layers=[layer], report=listener)
    assert len(listener.warnings) == warned
    create("baseline", device="cpu", layers=[layer], weights=path, report=listener)
    assert len(listener.warnings) == warned


class TestOlderCheckpoints:
    """Settings of a checkpoint that today's model has under another name, or no longer has."""

    settings: ClassVar[dict] = {**SMALL["ffmln"], "stages": [3, 4]}

    def test_a_renamed_setting_is_understood(self) -> None:
        model = rebuild("ffmln", self.settings, ("a", "b"), device="cpu")
        assert model.settings.levels == (3, 4)

    def test_a_person_who_types_the_old_name_is_told_the_new_one(self) -> None:
        told = Listener()
        settings = resolve_settings("ffmln", [{"stages": "2,4"}], report=told)
        assert settings.levels == (2, 4)
        assert told.notes == ["the setting stages is called levels now"]
        with pytest.raises(UsageError, match="'levels' is set twice"):
            resolve_settings("ffmln", [{"stages": "2,4", "levels": "3"}])

    def test_a_recipes_unknown_setting_is_left_out_with_a_note(self) -> None:
        told = Listener()
        given = {**self.settings, "cycles": 3}
        rebuild("ffmln", given, None, device="cpu", recipe=("cycles", "lr"), report=told)
        assert len(told.notes) == 1
        assert told.notes[0].startswith("cycles: ")

    def test_a_networks_unknown_setting_is_refused(self) -> None:
        with pytest.raises(MismatchError, match="'gates', which this version of ffmln"):
            rebuild("ffmln", {**self.settings, "gates": 3}, None, device="cpu", recipe=("lr",))

    def test_a_model_can_change_what_an_older_version_wrote(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def upgrade(settings: dict, version: int) -> dict:
            assert version == 1
            return {"dim": settings.pop("half") * 2, **settings}

        monkeypatch.setattr(MODELS.get("ffmln"), "upgrade", staticmethod(upgrade))
        given = {k: v for k, v in self.settings.items() if k != "dim"}
        assert rebuild("ffmln", {**given, "half": 4}, None, device="cpu").dim == 8


def test_kinds_of_settings_are_inherited_and_nested() -> None:
    found = kinds(MODELS.get("ffmln").Settings)
    assert found["lr"] == found["schedule"] == found["backbone.freeze"] == "recipe"
    assert found["precision"] == found["accumulate"] == "machine"
    assert found["levels"] == found["backbone.name"] == "network"
    assert found["size"] == found["mean"] == "input"
    assert found["margin"] == "loss"
    assert set(found) == {one.key for one in describe(MODELS.get("ffmln").Settings)}


@pytest.mark.parametrize("name", MODELS.names())
def test_every_setting_has_a_help_text(name: str) -> None:
    assert [one.key for one in describe(MODELS.get(name).Settings) if not one.help] == []


def test_a_model_may_allow_what_others_refuse():
    assert resolve_settings("semi3", [{"epochs": 0}]).epochs == 0
    with pytest.raises(UsageError, match="epochs=-1 cannot be"):
        resolve_settings("semi3", [{"epochs": -1}])
    with pytest.raises(UsageError, match="epochs=0 cannot be"):
        resolve_settings("baseline", [{"epochs": 0}])


@pytest.mark.parametrize("std", [0, "0.5,0,0.5"])
def test_a_deviation_of_nothing_is_refused_before_a_network_is_built(std):
    with pytest.raises(UsageError, match="std=0(.0)? cannot be") as raised:
        resolve_settings("baseline", [{"std": std}])
    assert raised.value.hint == "It is 0.001 or more."


@pytest.mark.parametrize("model", ["baseline", "clipat", "drclip", "ffmln", "semi3", "splip"])
def test_a_temperature_of_nothing_is_refused_before_a_network_is_built(model):
    with pytest.raises(UsageError, match=r"temperature=0\.0 cannot be") as raised:
        resolve_settings(model, [{"temperature": 0}])
    assert raised.value.hint == "It is above 0."
