"""What every registered model must do, with small settings and random values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from small_models import CLASSES, SMALL, batch, small

from sbirctl.checks import NotCheckedError
from sbirctl.checks.models import CHECKS, ModelSubject
from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.models import MODELS, Model, ModelSettings
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.training.optim import make_optimizer, set_trainable
from sbirctl.training.step import loss_terms

TRAINABLE = [name for name in MODELS.names() if MODELS.get(name).trainable]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MODELS.names())
def test_it_keeps_to_the_contract(name: str, check: Callable[[ModelSubject], None]) -> None:
    try:
        check(ModelSubject(name))
    except NotCheckedError:
        assert name == "clip"  # the only one that is not trained


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
