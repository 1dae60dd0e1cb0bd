"""Published weights: taken from where the library keeps them, or asked for in two lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import save_file

from sbirctl.core.errors import MissingError
from sbirctl.core.files import digest_file
from sbirctl.models import _publishers, create
from sbirctl.models._download import Published, fetch
from sbirctl.models.layers.backbones import BackboneSettings
from sbirctl.models.layers.library_networks import build

HUB = Published("timm x", repo="timm/x", files=("model.safetensors", "pytorch_model.bin"))


def unreachable(*args: Any, **more: Any) -> Any:
    raise URLError("no route to host")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *args: None)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("model", "backbone", "file", "place"),
    [
        ("baseline", "resnet18", "resnet18-f37072fd.pth", "download.pytorch.org"),
        ("baseline", "mobilenetv2_100", "model.safetensors", "co/timm/mobilenetv2_100.ra_in1k"),
    ],
)
def test_without_network_the_error_names_file_place_and_option(
    model: str, backbone: str, file: str, place: str
) -> None:
    with pytest.raises(MissingError) as caught:
        create(model, device="cpu", layers=[{"backbone": backbone}])
    assert caught.value.exit_code == 3
    assert file in caught.value.message
    assert "no route to host" in caught.value.message
    assert place in caught.value.hint
    assert "--weights FILE" in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_a_network_nobody_publishes_says_so() -> None:
    with pytest.raises(MissingError, match="no weights"):
        build(BackboneSettings("mobilenetv2_035")).load_weights("pretrained")


def test_the_hubs_cache_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    cached = {"pytorch_model.bin": str(tmp_path / "pytorch_model.bin")}
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda repo, file: cached.get(file)
    )
    assert fetch(HUB) == tmp_path / "pytorch_model.bin"


def test_the_second_name_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def metadata(url: str, timeout: float) -> None:
        if url.endswith(".safetensors"):
            raise EntryNotFoundError("not there")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *args: None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", metadata)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda repo, file: str(tmp_path / file))
    assert fetch(HUB).name == "pytorch_model.bin"


def test_a_downloaded_file_is_checked_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def download(url: str, target: str, prefix: str | None, progress: bool) -> None:
        asked.append((url, prefix))
        Path(target).write_bytes(b"weights")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    published = Published("x", url="https://example.org/net-0123abcd.pth")
    first, second = fetch(published), fetch(published)
    assert first == second
    assert first.read_bytes() == b"weights"
    assert asked == [("https://example.org/net-0123abcd.pth", "0123abcd")]


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_100"])
def test_published_weights_are_loaded_and_named(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = build(BackboneSettings(name))
    path = tmp_path / "published.safetensors"
    classifier = "fc" if name == "resnet18" else "classifier"
    extra = {
        f"{classifier}.weight": torch.zeros(1000, source.width),
        f"{classifier}.bias": torch.zeros(1000),
    }
    save_file({**source.net.state_dict(), **extra}, path)
    monkeypatch.setattr(_publishers, "fetch", lambda published: path)
    model = create("baseline", device="cpu", layers=[{"backbone": name}])
    for key, value in source.state_dict().items():
        assert torch.equal(value, model.backbone.state_dict()[key])
    assert name in model.weights.name
    assert model.weights.sha256 == digest_file(path)
