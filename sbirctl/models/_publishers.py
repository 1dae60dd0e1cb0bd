"""Which weights torchvision and timm publish for a network, and timm's way of reading its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from sbirctl.core.errors import MissingError
from sbirctl.models._download import Published

if TYPE_CHECKING:
    from sbirctl.models.layers.backbones import BackboneSettings

_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


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


def timm_state(settings: BackboneSettings, published: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's conversion of its published tensors: some are renamed or resized on the way in."""
    import timm

    net = timm.create_model(
        settings.name,
        pretrained=True,
        pretrained_cfg_overlay={"state_dict": published},
        num_classes=0,
        **settings.extra,
    )
    return net.state_dict()


def _unpublished(library: str, name: str) -> MissingError:
    return MissingError(
        f"{library} publishes no weights for {name!r}.",
        "Add --weights FILE, or --weights none for random values.",
    )
