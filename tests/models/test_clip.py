"""CLIP as it comes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU
from safetensors.torch import save_file
from small_models import batch, images, small

from sbirctl.core.errors import CorruptError, MismatchError, UsageError
from sbirctl.models import clip as clip_module
from sbirctl.models import create
from sbirctl.models.clip import ClipBackbone, build_clip
from sbirctl.training.step import loss_terms

TINY = {"backbone": {"name": "tiny-clip", "pretrained": "none"}, "size": 32}


def test_embeddings_are_open_clips() -> None:
    model = small("clip")
    given = images(3, side=32)
    values = model.preprocess(given, "photo")
    with torch.no_grad():
        expected = model.clip.encode_image(values, normalize=True)
    torch.testing.assert_close(model.embed(given, "photo"), expected)
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).view(3, 1, 1)
    torch.testing.assert_close(values, (given / 255 - mean) / std)


def test_texts_are_embedded_beside_images() -> None:
    model = small("clip")
    texts = ["a photo of a cat", "a photo of a dog"]
    found = model.embed_text(texts)
    assert found.shape == (2, model.dim)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(found[1:], model.embed_text(texts[1:]))
    assert not torch.allclose(found[0], found[1])


@pytest.mark.parametrize("quick", [True, False])
def test_the_weights_decide_the_activation(quick: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *args: {"quick_gelu": quick})
    network = build_clip(ClipBackbone("tiny-clip"))
    assert any(isinstance(m, QuickGELU) for m in network.modules()) == quick


def test_openais_weights_are_known_to_want_quickgelu() -> None:
    assert open_clip.get_pretrained_cfg("ViT-B-32", "openai")["quick_gelu"]
    assert not open_clip.get_pretrained_cfg("ViT-B-32", "laion2b_s34b_b79k").get("quick_gelu")


def test_it_is_not_trained() -> None:
    model = small("clip")
    assert model.recipe() == ()
    with pytest.raises(UsageError, match="not trained"):
        loss_terms(model, batch(), "train")


def test_names_tags_sizes_and_keys_are_checked() -> None:
    with pytest.raises(UsageError) as caught:
        build_clip(ClipBackbone("ViT-B-23"))
    assert "ViT-B-" in caught.value.hint
    with pytest.raises(UsageError, match=r"'openay' of ViT-B-32") as caught:
        clip_module.load_clip_weights(
            torch.nn.Identity(), ClipBackbone("ViT-B-32", "openay"), "pretrained"
        )
    assert "'openai'" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        create("clip", device="cpu", weights="none", layers=[{**TINY, "size": 64}])
    assert "--set size=32" in caught.value.hint
    with pytest.raises(UsageError, match="cannot be built"):
        build_clip(ClipBackbone("tiny-clip", extra={"no_such_key": 1}))


def test_a_file_of_weights(tmp_path: Path) -> None:
    source = create("clip", device="cpu", weights="none", layers=[TINY], seed=1)
    path = tmp_path / "tiny.safetensors"
    save_file({k: v.contiguous() for k, v in source.clip.state_dict().items()}, path)
    model = create("clip", device="cpu", weights=path, layers=[TINY], seed=2)
    given = images(2)
    assert torch.equal(model.embed(given, "photo"), source.embed(given, "photo"))
    assert model.weights.name == "tiny.safetensors"
    assert len(model.weights.sha256) == 64


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    save_file({"conv.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(MismatchError, match=r"other\.safetensors"):
        create("clip", device="cpu", weights=tmp_path / "other.safetensors", layers=[TINY])


class _Archive(torch.nn.Module):
    """A network with the names of a CLIP, to be saved as OpenAI saves theirs."""

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.visual = torch.nn.Linear(2, 2)
        for name in ("input_resolution", "context_length", "vocab_size"):
            self.register_buffer(name, torch.tensor(1))


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_openais_archive_is_opened_by_its_announced_digest_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ViT.pt"
    torch.jit.save(torch.jit.script(_Archive(None)), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    network = torch.nn.Module()
    network.visual = torch.nn.Linear(2, 2)
    monkeypatch.setattr(clip_module, "_converted", lambda clip, state: state)
    with pytest.raises(CorruptError, match="not its publisher's"):
        clip_module.load_clip_weights(network, ClipBackbone(), str(path))
    monkeypatch.setattr(clip_module, "_openai_digests", lambda: frozenset({digest}))
    record = clip_module.load_clip_weights(network, ClipBackbone(), str(path))
    assert record.sha256 == digest


def test_the_announced_digests_are_openais() -> None:
    digests = clip_module._openai_digests()
    assert "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af" in digests
    assert all(len(digest) == 64 for digest in digests)
