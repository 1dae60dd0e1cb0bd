"""CLIP's two towers: any open_clip architecture, with its weights and its tokenizer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sbirctl.core.config import Layer, setting
from sbirctl.core.errors import MismatchError, MissingError, UsageError, nearest
from sbirctl.models import _weights as files
from sbirctl.models._download import Published, fetch
from sbirctl.models._recipe import ModelSettings
from sbirctl.models._weights import WeightsRecord

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_TEXTS = 256  # encoded at a time
_ARCHIVE_KEYS = ("input_resolution", "context_length", "vocab_size")
# A CLIP of 70,000 image parameters, for checks: `backbone` settings.
SMALL_CLIP: Layer = {
    "name": "ViT-B-32",
    "pretrained": "none",
    "extra": {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1,
        },
    },
}  # fmt: skip
# A CLIP that learns a little on a processor in a minute, for presets: `backbone` settings.
SMALL_TOWERS: Layer = {
    "name": "ViT-B-32",
    "pretrained": "none",
    "extra": {
        "embed_dim": 64,
        "vision_cfg": {
            "image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1,
        },
    },
}  # fmt: skip


@dataclass(frozen=True)
class ClipBackbone:
    """Which CLIP; keys not listed go to open_clip's constructor."""

    name: str = setting("ViT-B-32", help="any architecture of open_clip")
    pretrained: str = setting("openai", help="open_clip's tag of the weights; decides QuickGELU")
    extra: dict[str, Any] = setting(
        default_factory=dict, help="further arguments of open_clip's constructor"
    )


@dataclass(frozen=True)
class ClipSettings(ModelSettings):
    """Preprocessing and architecture; the recipe's settings have no use here."""

    backbone: ClipBackbone = field(default_factory=ClipBackbone)
    mean: tuple[float, ...] = setting(CLIP_MEAN, help="mean of the inputs, of 0..1")
    std: tuple[float, ...] = setting(CLIP_STD, help="standard deviation of the inputs, of 0..1")


def normalisation(backbone: ClipBackbone) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and deviation of the published weights' inputs, where open_clip says them."""
    import open_clip

    config = open_clip.get_pretrained_cfg(backbone.name, backbone.pretrained)
    if not config.get("mean") or not config.get("std"):
        return None
    return tuple(config["mean"]), tuple(config["std"])


def encode_texts(
    clip: Any, settings: ClipBackbone, texts: Sequence[str], device: torch.device
) -> Tensor:
    """Texts to (n, dim) L2-normalised float32 embeddings of `clip`'s text tower on `device`.

    They are encoded in pieces: the activations of a ViT-B/32's text take more than two megabytes.

    Raises:
        MissingError: the architecture's tokenizer has to be downloaded and cannot be.
    """
    tokens = read_tokens(settings, texts, clip.context_length).to(device)
    with torch.no_grad():
        found = torch.cat([clip.encode_text(piece) for piece in tokens.split(_TEXTS)])
    return nn.functional.normalize(found.float(), dim=-1)


def read_tokens(settings: ClipBackbone, texts: Sequence[str], length: int) -> Tensor:
    """Texts to (n, length) int64 token numbers of an architecture, longer ones cut.

    Raises:
        MissingError: the architecture's tokenizer has to be downloaded and cannot be.
    """
    import open_clip

    try:
        tokenizer = open_clip.get_tokenizer(settings.name)
    except Exception as error:  # the hub's and transformers' errors are of many kinds
        raise MissingError(
            f"The tokenizer of {settings.name} is not on this machine: {error}.",
            "Run once with network, or take an architecture such as ViT-B-32.",
        ) from error
    tokens: Tensor = tokenizer(list(texts), context_length=length)
    return tokens


def build_clip(settings: ClipBackbone) -> Any:
    """open_clip's model of that name with random values and the activation of its weights.

    OpenAI trained with QuickGELU; the same architecture name with GELU would embed wrongly.

    Raises:
        UsageError: open_clip has no such architecture, or refuses `extra`.
        MissingError: its configuration has to be downloaded and cannot be.
    """
    import open_clip

    known = open_clip.list_models()
    if settings.name not in known:
        raise UsageError(f"There is no CLIP {settings.name!r}.", nearest(settings.name, known))
    tag = open_clip.get_pretrained_cfg(settings.name, settings.pretrained)
    config = open_clip.get_model_config(settings.name)
    try:
        logging.disable(logging.WARNING)  # open_clip warns on the root logger of random values
        return open_clip.create_model(
            settings.name,
            pretrained_text=False,
            force_quick_gelu=bool(tag.get("quick_gelu")),
            **settings.extra,
        ).eval()
    except (OSError, ImportError) as error:
        needed = config.get("text_cfg", {}).get("hf_model_name", "a text tower")
        raise MissingError(
            f"{settings.name} needs {needed}, which is not on this machine: {error}.",
            "Run once with network, or take an architecture such as ViT-B-32.",
        ) from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"The CLIP {settings.name!r} cannot be built: {error}.") from error
    finally:
        logging.disable(logging.NOTSET)


def load_clip_weights(clip: nn.Module, settings: ClipBackbone, weights: str) -> WeightsRecord:
    """Fill both towers; arguments and errors as for `Model.load_weights`."""
    if weights == files.RANDOM:
        return WeightsRecord()
    read = read_clip_weights(settings, weights)
    fill_clip(clip, settings, read.state, read.record.name)
    return read.record


@dataclass(frozen=True)
class ClipWeights:
    """A weights file of CLIP: tensors by the names that stand in it, and its record."""

    state: dict[str, Tensor]
    record: WeightsRecord


def read_clip_weights(settings: ClipBackbone, weights: str) -> ClipWeights:
    """Read the publisher's weights or a file; arguments and errors as for `Model.load_weights`."""
    if weights == files.PRETRAINED:
        published = _published(settings)
        path, name = fetch(published), published.name
    else:
        path, name = Path(weights).expanduser(), ""
    state = files.read_state(path, trusted_archives=_openai_digests())
    return ClipWeights(state, files.record_file(path, name))


def fill_clip(
    clip: nn.Module, settings: ClipBackbone, state: dict[str, Tensor], source: str
) -> None:
    """Put tensors by open_clip's or OpenAI's names into both towers.

    Raises:
        MismatchError: they are another architecture's; `source` names the file.
    """
    try:
        state = _converted(clip, state)
    except (KeyError, RuntimeError) as error:
        raise MismatchError(
            f"{source} holds no weights of {settings.name}: {error}.",
            "Name the architecture the file was made for (--set backbone=…).",
        ) from error
    files.load_state(clip, state, source=source, tolerated=_ARCHIVE_KEYS)


def _converted(clip: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Other programs' names as open_clip's, the way its own loader does it."""
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed

    state = convert_state_dict(clip, state)
    if "positional_embedding" in state and not hasattr(clip, "positional_embedding"):
        state = convert_to_custom_text_state_dict(state)
    for key in ("logit_scale", "logit_bias"):
        own = getattr(clip, key, None)
        if own is not None and key in state:
            state[key] = state[key].reshape(own.shape)
    resize_pos_embed(state, clip)
    return state


def _published(settings: ClipBackbone) -> Published:
    import open_clip

    if settings.pretrained == "none":
        raise UsageError(
            f"Towers of random values ({settings.name} with backbone.pretrained=none) have no"
            " published weights.",
            "Add --weights none.",
        )
    config = open_clip.get_pretrained_cfg(settings.name, settings.pretrained)
    if not config:
        tags = open_clip.list_pretrained_tags_by_model(settings.name)
        raise UsageError(
            f"There are no weights {settings.pretrained!r} of {settings.name}.",
            f"{nearest(settings.pretrained, tags)} Add --set backbone.pretrained=TAG.",
        )
    name = f"open_clip {settings.name} {settings.pretrained}"
    repo, _, file = config.get("hf_hub", "").rpartition("/")
    if repo:
        return Published(name, repo=repo, files=(file,) if file else _HUB_FILES)
    return Published(name, url=config["url"])


def _openai_digests() -> frozenset[str]:
    """SHA-256 of OpenAI's TorchScript archives: the publisher's addresses name them."""
    import open_clip

    urls = [
        open_clip.get_pretrained_url(name, tag)
        for name, tag in open_clip.list_pretrained()
        if tag == "openai"
    ]
    return frozenset(url.split("/")[-2] for url in urls if "/clip/models/" in url)


def check_size(clip: Any, settings: ClipSettings) -> None:
    """Refuse a size of the input that the image tower does not take.

    Raises:
        UsageError: its positions are for another one.
    """
    size = clip.visual.image_size
    own = int(size[0] if isinstance(size, tuple | list) else size)
    if own != settings.size:
        raise UsageError(
            f"{settings.backbone.name} takes images of {own} pixels, not size={settings.size}.",
            f"Add --set size={own}.",
        )
