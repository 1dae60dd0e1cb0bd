"""Weights for the networks of torchvision and timm: what they publish, as they read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sbirctl.core.errors import MissingError
from sbirctl.models._download import Published, fetch
from sbirctl.models._weights import PRETRAINED, WeightsRecord, read_state, record_file

_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


def read_backbone_weights(
    library: str, name: str, net: nn.Module, extra: Mapping[str, Any], weights: str
) -> tuple[Mapping[str, Tensor], WeightsRecord]:
    """Tensors by the network's names, and what they are.

    Positions of a transformer of another size are resampled, as timm does it; the record says so.

    Args:
        library: "torchvision" or "timm".
        name: of the network `net`. extra: further arguments of its constructor.
        weights: "pretrained" (the publisher's) or a file.

    Raises:
        MissingError: no such file, or no network and nothing cached, or there are none.
        CorruptError: the file is damaged.
    """
    if weights != PRETRAINED:
        path = Path(weights).expanduser()
        state, record = read_state(path), record_file(path)
    else:
        path, record = fetch_published(library, name, net)
        state = read_state(path)
    if library != "timm":
        return state, record
    remark = _resampling(state, net)
    if remark or weights == PRETRAINED:
        state = timm_state(name, extra, state)
    return state, replace(record, remark=remark)


def _resampling(state: Mapping[str, Tensor], net: nn.Module) -> str:
    """Which positions are another size's than the network's, in words; "" where they are its own.

    The files that timm publishes have them as (1, positions, width).
    """
    given, own = state.get("pos_embed"), net.state_dict().get("pos_embed")
    if given is None or own is None or given.ndim != own.ndim or given.shape == own.shape:
        return ""
    if given.shape[-1] != own.shape[-1]:
        return ""  # another network's
    counts = [one.shape[1] for one in (given, own)]
    sides = [math.isqrt(n) for n in counts]
    square = all(side * side in (n, n - 1) for side, n in zip(sides, counts, strict=True))
    before, after = (f"{s} x {s}" if square else f"{n}" for s, n in zip(sides, counts, strict=True))
    return f"its positions of {before} patches are resampled to {after}"


def fetch_published(library: str, name: str, net: nn.Module) -> tuple[Path, WeightsRecord]:
    """The file of the publisher's weights, fetched where it is not cached, and what it is.

    Raises:
        MissingError: no network and nothing cached, or there are none.
    """
    published = timm_weights(name, net) if library == "timm" else torchvision_weights(name)
    path = fetch(published)
    return path, record_file(path, published.name)


def torchvision_weights(name: str) -> Published:
    """torchvision's first weights of that network: those that papers start from.

    Later ones are timm's, by tag (`resnet50.tv2_in1k`).

    Raises:
        MissingError: there are none.
    """
    import torchvision

    found = next(iter(torchvision.models.get_model_weights(name)), None)
    if found is None:
        raise _unpublished("torchvision", name)
    return Published(f"torchvision {name} {found.name}", url=found.url)


def timm_weights(name: str, net: nn.Module) -> Published:
    """The weights of the network's tag.

    Raises:
        MissingError: there are none.
    """
    config: Mapping[str, Any] = net.pretrained_cfg  # type: ignore[assignment]
    tag = f"timm {config.get('architecture', name)} {config.get('tag', '')}".strip()
    if config.get("hf_hub_id"):
        chosen = config.get("hf_hub_filename")
        return Published(tag, repo=config["hf_hub_id"], files=(chosen,) if chosen else _HUB_FILES)
    if config.get("url"):
        return Published(tag, url=config["url"])
    raise _unpublished("timm", name)


def timm_state(
    name: str, extra: Mapping[str, Any], published: dict[str, Tensor]
) -> dict[str, Tensor]:
    """timm's conversion of its published tensors: some are renamed or resized on the way in.

    Args:
        name: of the network.
        extra: further arguments of its constructor.
        published: tensors by the names of the published file.

    Returns:
        Tensors by the network's names, and the classifier's as they are published.
    """
    import timm

    net = timm.create_model(
        name,
        pretrained=True,
        pretrained_cfg_overlay={"state_dict": published},
        num_classes=0,
        **extra,
    )
    named = net.pretrained_cfg.get("classifier") or ()
    names = tuple(f"{one}." for one in ((named,) if isinstance(named, str) else named))
    classifier = {key: value for key, value in published.items() if key.startswith(names)}
    return {**classifier, **net.state_dict()}


def _unpublished(library: str, name: str) -> MissingError:
    return MissingError(
        f"{library} publishes no weights for {name!r}.",
        "Add --weights FILE, or --weights none for random values.",
    )
