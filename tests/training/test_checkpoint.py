"""Checkpoints: equal bytes for equal runs, nothing lost, damage noticed."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.retrieval.provenance import Counts, Provenance
from sbirctl.training.checkpoint import digest_state, read_checkpoint, save_checkpoint
from sbirctl.training.inputs import DataRecord


def test_what_is_written_is_read_back(tmp_path, make_model):
    model = make_model(epochs=7)
    known = Provenance(dataset="tiny", unseen=("Ü", "b"), counts={"val": Counts(1, 2, 3)})
    inputs = {"dataset": "x", "target": "", "task": "cg", "split": "", "options": {}}
    identity = {"store": "ab", "target": "", "split": ""}
    data = DataRecord(inputs, {"seed": 1}, identity, {"size": 32})
    digest = save_checkpoint(tmp_path / "c.safetensors", model, known, data)
    found = read_checkpoint(tmp_path / "c.safetensors")
    assert (found.model, found.digest) == ("tiny", digest)
    assert (found.provenance, found.data) == (known, data)
    assert found.classes == model.classes
    assert found.settings["epochs"] == 7
    assert all(torch.equal(v, found.state[k]) for k, v in model.state_dict().items())
    assert read_checkpoint(tmp_path / "c.safetensors", tensors=False).state == {}


def test_equal_models_give_equal_bytes(tmp_path, make_model):
    known = Provenance(options={f"key{i}": i for i in range(20)})
    for name in "ab":
        save_checkpoint(tmp_path / name, make_model(), known)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_shared_and_channels_last_tensors_are_written(tmp_path, make_model):
    model = make_model().to(memory_format=torch.channels_last)
    model.register_buffer("again", model.conv.weight.data)
    save_checkpoint(tmp_path / "c", model, Provenance())
    assert torch.equal(read_checkpoint(tmp_path / "c").state["again"], model.conv.weight)


def test_the_digest_sees_names_shapes_types_and_values():
    base = {"a": torch.arange(6.0), "b": torch.zeros(2)}
    other = [
        {"a": base["a"].reshape(2, 3), "b": base["b"]},
        {"a": base["a"].double(), "b": base["b"]},
        {"a": base["a"] + 1e-6, "b": base["b"]},
        {"c": base["a"], "b": base["b"]},
    ]
    digests = {digest_state(state) for state in [base, *other]}
    assert len(digests) == 5
    assert digest_state(dict(reversed(base.items()))) == digest_state(base)


def test_a_checkpoint_that_may_not_be_read_is_not_said_to_be_missing(
    tmp_path, make_model, monkeypatch
):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    save_checkpoint(tmp_path / "c.safetensors", make_model(), Provenance())
    monkeypatch.setattr("sbirctl.training.checkpoint.open", refuse, raising=False)
    with pytest.raises(MissingError, match="cannot be read: Permission denied"):
        read_checkpoint(tmp_path / "c.safetensors")


def test_damage_and_strangers_are_named(tmp_path, make_model):
    path = tmp_path / "c.safetensors"
    with pytest.raises(MissingError):
        read_checkpoint(path)
    save_checkpoint(path, make_model(), Provenance())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptError, match="digest"):
        read_checkpoint(path)
    path.write_bytes(data[:100])
    with pytest.raises(CorruptError):
        read_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CorruptError, match="not written by sbirctl"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("schema", "word", "hint"), [(99, "newer", "Update"), (0, "older", "Train")]
)
def test_older_and_newer_formats_are_told_apart(tmp_path, make_model, schema, word, hint):
    path = tmp_path / "c"
    save_checkpoint(path, make_model(), Provenance())
    with safe_open(path, framework="pt") as stream:
        about = json.loads(stream.metadata()["sbirctl"])
    text = json.dumps({**about, "schema": schema})
    save_file({"a": torch.zeros(1)}, path, metadata={"sbirctl": text})
    with pytest.raises(CorruptError, match=f"which is {word} than") as caught:
        read_checkpoint(path)
    assert hint in str(caught.value.hint)


def test_a_checkpoint_says_which_settings_are_the_recipes(tmp_path, make_model):
    save_checkpoint(tmp_path / "c", make_model(), Provenance())
    found = read_checkpoint(tmp_path / "c")
    assert found.version == 1
    assert {"lr", "epochs", "precision"} <= set(found.recipe)
    assert not {"size", "mean"} & set(found.recipe)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"classes": True}, "classes is no list"),
        ({"classes": [5]}, r"classes\[0\] is not text"),
        ({"settings": None}, "settings is not an object"),
        ({"data": 5}, "data is no object"),
        ({"data": {"inputs": {}}}, "data.inputs.dataset is missing"),
        ({"schema": "2"}, "schema is not a whole number"),
        ({"model": ...}, "model is missing"),
    ],
)
def test_a_header_with_other_values_is_damage(tmp_path, make_model, change, said):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, make_model(), Provenance())
    with safe_open(path, "pt") as stream:
        about = json.loads(stream.metadata()["sbirctl"]) | change
    state = read_checkpoint(path).state
    kept = {key: value for key, value in about.items() if value is not ...}
    save_file(state, path, metadata={"sbirctl": json.dumps(kept)})
    with pytest.raises(CorruptError, match=f"c.safetensors is damaged: {said}"):
        read_checkpoint(path)


def test_a_header_nested_too_deeply_is_damage(tmp_path):
    path = tmp_path / "c.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata={"sbirctl": "[" * 100_000})
    with pytest.raises(CorruptError, match="c.safetensors"):
        read_checkpoint(path)
