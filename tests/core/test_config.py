import tomllib
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from sbirctl.core.config import (
    describe,
    environment_layer,
    file_layer,
    parse_assignments,
    resolve,
    setting,
    to_dict,
)
from sbirctl.core.errors import MissingError, UsageError


@dataclass(frozen=True)
class Backbone:
    name: str = "resnet50"
    width: int = 64
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    size: int = setting(224, help="pixels")
    lr: float = 1e-4
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    flip: bool = True
    seed: int | None = None
    hinge: Literal["soft", "hard"] = "soft"
    lambda_: float = setting(0.8, key="lambda")
    backbone: Backbone = field(default_factory=Backbone)


def test_later_layers_win():
    got = resolve(Settings, {"size": 128}, {"size": "96", "lr": "1e-3"}, {"lr": 0.5})
    assert (got.size, got.lr) == (96, 0.5)


def test_group_shorthand_and_extra_arguments():
    layer = parse_assignments(["backbone=mobilenetv2_100", "backbone.pad_type=same", "size=128"])
    got = resolve(Settings, layer)
    assert got.backbone == Backbone("mobilenetv2_100", 64, {"pad_type": "same"})
    reverse = parse_assignments(["size=128", "backbone.pad_type=same", "backbone=mobilenetv2_100"])
    assert resolve(Settings, reverse) == resolve(Settings, layer)


def test_extra_arguments_get_types():
    got = resolve(
        Settings, parse_assignments(["backbone.a=3", "backbone.b=0.5", "backbone.c=true"])
    )
    assert got.backbone.extra == {"a": 3, "b": 0.5, "c": True}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("flip=no", ("flip", False)),
        ("flip=1", ("flip", True)),
        ("mean=0.1,0.2,0.3", ("mean", (0.1, 0.2, 0.3))),
        ("mean=0.5", ("mean", (0.5,))),
        ("seed=none", ("seed", None)),
        ("seed=7", ("seed", 7)),
        ("hinge=hard", ("hinge", "hard")),
        ("lambda=0.5", ("lambda_", 0.5)),
        ("lr=1", ("lr", 1.0)),
    ],
)
def test_text_becomes_values(text, expected):
    name, value = expected
    assert getattr(resolve(Settings, parse_assignments([text])), name) == value


@pytest.mark.parametrize(
    "text, word",
    [
        ("sise=3", "'size'"),
        ("size=big", "size=big"),
        ("size=1.5", "whole number"),
        ("flip=maybe", "true or false"),
        ("hinge=sof", "'soft'"),
        ("lr.x=1", "'lr'"),
    ],
)
def test_wrong_settings_say_what_and_what_instead(text, word):
    with pytest.raises(UsageError) as caught:
        resolve(Settings, parse_assignments([text]))
    assert word in caught.value.message + caught.value.hint


def test_an_assignment_needs_a_sign():
    with pytest.raises(UsageError, match="size"):
        parse_assignments(["size"])


def test_environment():
    layer = environment_layer(
        {"SBIRCTL_SET_BACKBONE__NAME": "vgg19", "SBIRCTL_SET_SIZE": "9", "X": "1"}
    )
    got = resolve(Settings, layer)
    assert (got.backbone.name, got.size) == ("vgg19", 9)


def test_files(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("size = 5\n[backbone]\nname = 'a'\n")
    assert resolve(Settings, file_layer(path)).backbone.name == "a"
    path.write_text("size = \n")
    with pytest.raises(UsageError):
        file_layer(path)
    with pytest.raises(MissingError):
        file_layer(tmp_path / "no.toml")


@given(
    st.builds(
        Settings,
        size=st.integers(1, 999),
        lr=st.floats(0, 1),
        mean=st.tuples(st.floats(0, 1), st.floats(0, 1)),
        flip=st.booleans(),
        seed=st.none() | st.integers(0, 9),
        hinge=st.sampled_from(["soft", "hard"]),
        backbone=st.builds(
            Backbone, name=st.sampled_from(["a", "b"]), extra=st.just({"pad_type": "same"})
        ),
    )
)
def test_settings_survive_a_toml_file(settings):
    text = tomli_w.dumps(to_dict(settings))
    assert resolve(Settings, tomllib.loads(text)) == settings


def test_describe_names_every_key():
    rows = {one.key: one.default for one in describe(Settings)}
    assert rows["lambda"] == "0.8"
    assert rows["backbone.name"] == "resnet50"
    assert rows["mean"] == "0.5,0.5,0.5"


@dataclass(frozen=True)
class Bounded:
    lr: float = setting(0.1, help="highest learning rate")
    batch: int = setting(4, least=1)
    levels: tuple[int, ...] = setting((1, 2), least=1)
    t: float = setting(0.1, above=0)


class BoundedToo(Bounded):
    """Inherits the limits."""


@pytest.mark.parametrize("schema", [Bounded, BoundedToo])
@pytest.mark.parametrize(
    ("given", "least"),
    [({"lr": "-1"}, 0), ({"lr": "nan"}, 0), ({"batch": "0"}, 1), ({"levels": "2,0"}, 1)],
)
def test_a_number_below_its_least_is_refused(schema, given, least):
    with pytest.raises(UsageError, match="cannot be") as raised:
        resolve(schema, given)
    assert f"{least} or more" in raised.value.hint
    assert resolve(schema, {"lr": "0", "levels": "1"}).levels == (1,)


@pytest.mark.parametrize("schema", [Bounded, BoundedToo])
@pytest.mark.parametrize("given", ["0", "-1", "nan"])
def test_a_number_that_must_be_larger_is_refused_where_it_is_equal(schema, given):
    with pytest.raises(UsageError, match=f"t={float(given)} cannot be") as raised:
        resolve(schema, {"t": given})
    assert raised.value.hint == "It is above 0."
    assert resolve(schema, {"t": "1e-9"}).t == 1e-9


def test_an_unknown_setting_is_looked_for_in_the_helps():
    with pytest.raises(UsageError, match="no setting 'learning_rate'") as raised:
        resolve(Bounded, {"learning_rate": "1"})
    assert raised.value.hint == "Did you mean lr?"
    with pytest.raises(UsageError) as raised:
        resolve(Bounded, {"batc": "1"})  # a near name goes before a word of a help
    assert raised.value.hint == "Did you mean 'batch'?"
