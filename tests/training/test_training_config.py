"""Settings of a model and options of a task, told apart and checked."""

from dataclasses import fields

import pytest

from sbirctl.core.config import describe, keys, parse_assignments, read_layers
from sbirctl.core.errors import UsageError
from sbirctl.models import MODELS
from sbirctl.tasks import TASKS, Holdout
from sbirctl.training.config import Flags, TrainingConfig, resolve_layers, training_config
from sbirctl.training.inputs import Inputs


def resolve(task, *texts):
    return resolve_layers("baseline", task, [parse_assignments([text]) for text in texts])


@pytest.mark.parametrize("model", MODELS.names())
def test_no_option_of_a_task_is_called_as_a_setting(model):
    for task in TASKS.names():
        assert not set(keys(MODELS.get(model).Settings)) & set(keys(TASKS.get(task).Options))


def test_each_value_goes_where_it_belongs_and_the_last_one_holds():
    settings, options = resolve("cg", "lr=0.5", "min_photos=4", "gallery=both", "min_photos=7")
    assert (settings.lr, options.min_photos, options.gallery) == (0.5, 7, "both")
    assert options == TASKS.get("cg").Options(min_photos=7, gallery="both")


@pytest.mark.parametrize("task", TASKS.names())
@pytest.mark.parametrize("owner", TASKS.names())
def test_an_option_of_another_task_is_refused_and_its_owner_named(task, owner):
    own = keys(TASKS.get(task).Options)
    for one in describe(TASKS.get(owner).Options):
        key, default = one.key, one.default
        if key in own:
            resolve(task, f"{key}={default}")
            continue
        with pytest.raises(UsageError) as caught:
            resolve(task, f"{key}={default}")
        assert f"{key!r} is an option of the task" in caught.value.message
        assert owner in caught.value.message.partition(", not")[0]
        assert f"not of {task}" in caught.value.message
        assert f"sbirctl tasks {task}" in caught.value.hint


@pytest.mark.parametrize(
    "text, near", [("min_photo=4", "min_photos"), ("lrr=1", "lr"), ("protocl=zse", "protocol")]
)
def test_a_misspelled_key_names_the_nearest(text, near):
    with pytest.raises(UsageError, match="There is no setting") as caught:
        resolve("cg", text)
    assert near in caught.value.hint


def test_a_value_is_checked_as_its_option_says():
    with pytest.raises(UsageError, match="gallery=neither"):
        resolve("cg", "gallery=neither")


def test_a_flag_is_a_field_of_the_configuration():
    named = {field.name for kind in (TrainingConfig, Inputs) for field in fields(kind)}
    assert set(Flags.__annotations__) <= named


def test_all_layers_make_one_configuration(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    text = 'lr = 0.1\nepochs = 3\nbatch = 8\nmin_photos = 1\n[run]\nseed = 9\ntask = "fg"\n'
    file.write_text(text)
    monkeypatch.setenv("SBIRCTL_SET_LR", "0.2")
    monkeypatch.setenv("SBIRCTL_SET_EPOCHS", "4")
    layers = read_layers(file, ["epochs=5", "min_photos=2"], {"epochs": 6})
    weights = tmp_path / "w.pt"
    weights.touch()
    monkeypatch.chdir(tmp_path)
    config = training_config("baseline", layers, split="x", seed=3, weights="w.pt")
    assert (config.settings.batch, config.settings.lr, config.settings.epochs) == (8, 0.2, 6)
    assert config.inputs == Inputs(split="x", options=TASKS.get("cg").Options(min_photos=2))
    assert config.weights == str(weights)
    assert config.holdout == Holdout(0.1, 3)


@pytest.mark.parametrize("text", ["val=none", "val_fraction=0"])
def test_nothing_held_out_leaves_nothing_to_refit_on(text):
    layers = [parse_assignments([text])]
    assert training_config("baseline", layers, seed=1).holdout == Holdout(0.0, 1)
    with pytest.raises(UsageError, match="--refit"):
        training_config("baseline", layers, refit=True)
