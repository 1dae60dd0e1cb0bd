"""Weights files: what is read, what is refused, and that nothing in them runs."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sbirctl.core.errors import CorruptError, MismatchError, MissingError
from sbirctl.models import WeightsRecord
from sbirctl.models._weights import load_state, read_state
from sbirctl.models.layers.backbones import Backbone, BackboneSettings
from sbirctl.models.layers.library_networks import build


@pytest.fixture(scope="module")
def source() -> Backbone:
    return build(BackboneSettings("resnet18"))


def classified(source: Backbone) -> dict[str, torch.Tensor]:
    """The state of the whole network, classifier included, as publishers write it."""
    state = source.net.state_dict()
    return {**state, "fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}


def fresh() -> Backbone:
    return build(BackboneSettings("resnet18"))


def same(a: Backbone, b: Backbone) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def prefixed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"module.{key}": value for key, value in state.items()}


@pytest.mark.parametrize("container", ["safetensors", "plain", "state_dict", "module."])
def test_a_file_is_loaded_and_named(source: Backbone, container: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"  # the content decides, not the name's ending
    state = classified(source)
    if container == "safetensors":
        save_file({k: v.contiguous() for k, v in state.items()}, path)
    elif container == "state_dict":
        torch.save({"epoch": 3, "state_dict": state}, path)
    else:
        torch.save(prefixed(state) if container == "module." else state, path)
    network = fresh()
    assert not same(network, source)
    record = network.load_weights(str(path))
    assert same(network, source)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert record == WeightsRecord("weights.bin", digest)


def test_none_leaves_the_random_values() -> None:
    network = fresh()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    assert network.load_weights("none") == WeightsRecord("none", "")
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_another_architecture_is_refused_by_name(source: Backbone, tmp_path: Path) -> None:
    deeper = build(BackboneSettings("resnet34")).net.state_dict()
    torch.save(deeper, tmp_path / "deeper.pth")
    with pytest.raises(MismatchError, match=r"deeper\.pth .*unknown: layer1\.2\.conv1\.weight"):
        fresh().load_weights(str(tmp_path / "deeper.pth"))


def test_missing_keys_and_wrong_shapes_are_named(source: Backbone) -> None:
    state = dict(source.net.state_dict())
    del state["layer1.0.conv1.weight"]
    state["bn1.weight"] = torch.ones(7)
    with pytest.raises(MismatchError) as caught:
        load_state(source.net, state, source="file.pth")
    assert "missing: layer1.0.conv1.weight;" in caught.value.message
    assert "bn1.weight is (7,), needs (64,)" in caught.value.message
    assert "backbone" in caught.value.hint


def test_a_refused_file_changes_nothing(source: Backbone) -> None:
    network = fresh()
    before = {k: v.clone() for k, v in network.net.state_dict().items()}
    state = dict(source.net.state_dict())
    del state["layer4.1.bn2.bias"]
    with pytest.raises(MismatchError):
        load_state(network.net, state, source="file.pth")
    assert all(torch.equal(v, before[k]) for k, v in network.net.state_dict().items())


class _Malicious:
    """An object whose unpickling would create a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def test_code_in_a_file_is_never_executed(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    torch.save({"w": _Malicious(target)}, tmp_path / "zip.pth")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(_Malicious(target)))
    for name in ("zip.pth", "plain.pkl"):
        with pytest.raises(CorruptError):
            read_state(tmp_path / name)
    assert not target.exists()


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_a_torchscript_archive_is_opened_only_when_its_digest_is_announced(tmp_path: Path) -> None:
    path = tmp_path / "archive.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), path)
    with pytest.raises(CorruptError, match="TorchScript"):
        read_state(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(read_state(path, trusted_archives={digest})) == {"weight", "bias"}


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_truncated_file_is_corrupt(source: Backbone, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    if suffix == "safetensors":
        save_file(source.net.state_dict(), path)
    else:
        torch.save(source.net.state_dict(), path)
    whole = path.read_bytes()
    for length in (0, 5, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptError):
            read_state(path)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html></html>", "a web page"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "another file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "another file"),
        (b"epoch,loss\n1,0.5\n", "another file"),
    ],
)
def test_a_file_of_another_kind_is_said_to_hold_no_weights(content, said, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(CorruptError, match=f"holds no weights: .*{said}"):
        read_state(tmp_path / "weights.pth")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3)])
def test_a_file_without_named_tensors_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(CorruptError, match="no tensors by name"):
        read_state(tmp_path / "other.pth")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="nowhere"):
        fresh().load_weights(str(tmp_path / "nowhere.pth"))
