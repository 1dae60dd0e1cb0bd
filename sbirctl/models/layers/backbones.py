"""A classification network of torchvision or timm as a source of features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from sbirctl.core.config import setting
from sbirctl.core.errors import UsageError
from sbirctl.models._publishers import read_backbone_weights
from sbirctl.models._weights import RANDOM, WeightsRecord, load_state

_AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")


@dataclass(frozen=True)
class BackboneSettings:
    """Which network; keys not listed go to its constructor (`backbone.pad_type=same`)."""

    name: str = setting("resnet50", help="any torchvision or timm classification network")
    extra: dict[str, Any] = setting(
        default_factory=dict, help="further arguments of the network's constructor"
    )
    freeze: int = setting(0, help="first levels (resolutions) that are not trained", kind="recipe")


class Backbone(nn.Module):
    """A network without its classifier.

    Attributes:
        net: the network of the library.
        width: number of pooled features.
        library: "torchvision" or "timm".
        settings: what it was built from.
        classifier: names of what classified, of which published weights hold tensors.
        trunk: names of the modules that run before pooling, one after the other, if known.
        freeze_bn: batch norm keeps its running statistics also in training; its scale and shift
            are trained like any other parameter.

    With `settings.freeze` = N whatever the N-th map of `feature_maps` is computed from is left as
    it is: it is no part of `trained`, and in training it works as in evaluation. It so costs a
    forward pass without saved activations, and no backward pass.

    Raises:
        UsageError: fewer levels than are to be frozen.
    """

    def __init__(
        self,
        net: nn.Module,
        width: int,
        library: str,
        settings: BackboneSettings,
        classifier: tuple[str, ...],
        trunk: tuple[str, ...],
        freeze_bn: bool,
    ) -> None:
        super().__init__()
        self.net: Any = net
        self.width = width
        self.library = library
        self.settings = settings
        self.classifier, self.trunk = classifier, trunk
        self.freeze_bn = freeze_bn
        self._frozen: frozenset[str] = frozenset()
        if settings.freeze:
            self._frozen = self.ahead_of(settings.freeze)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) normalised images to (n, width) pooled features."""
        return self.net(images)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """The last map of each resolution, finest first.

        Args:
            images: (n, 3, H, W) normalised.

        Returns:
            Maps (n, C_i, H_i, W_i); a ResNet's last three are its residual stages 2, 3, 4, the
            last one of a VGG is its last pooling layer's output.

        Raises:
            UsageError: the network has no such maps.
        """
        if hasattr(self.net, "forward_intermediates"):
            last, maps = self.net.forward_intermediates(images)
            if last.shape[-2:] == maps[-1].shape[-2:]:  # MobileNet's last convolution, for one
                maps[-1] = last
            return list(maps)
        if not self.trunk:
            raise UsageError(
                f"The backbone {self.settings.name!r} gives no feature maps.",
                "Take one with levels, such as resnet50, vgg19 or mobilenetv2_100.",
            )
        maps = []
        for name in self.trunk:
            images = self.net.get_submodule(name)(images)
            if maps and maps[-1].shape[-2:] == images.shape[-2:]:
                maps.pop()
            maps.append(images)
        return maps

    def feature_map(self, images: Tensor, level: int) -> Tensor:
        """One of `feature_maps`, without what comes behind it where the library can stop there.

        Args:
            images: (n, 3, H, W) normalised.
            level: its number, 1 the finest, one of those of `shapes`.
        """
        if hasattr(self.net, "forward_intermediates"):
            last = len(self.net.feature_info)
            if level < last:
                taken = {"indices": [level - 1], "stop_early": True, "intermediates_only": True}
                (found,) = self.net.forward_intermediates(images, **taken)
                return found
        return self.feature_maps(images)[level - 1]

    def trained(self, among: frozenset[str] | None = None) -> list[nn.Parameter]:
        """The parameters behind the frozen levels: what a recipe moves.

        Args:
            among: names of the parameters that are used, None for all.
        """
        return [
            parameter
            for name, parameter in self.net.named_parameters()
            if name not in self._frozen and (among is None or name in among)
        ]

    def shapes(self, size: int = 64) -> list[tuple[int, int]]:
        """(channels, side) of each of `feature_maps` for a square input, finest first."""
        with torch.no_grad():
            return [(maps.shape[1], maps.shape[2]) for maps in self._probe(size, size)]

    def train(self, mode: bool = True) -> Self:
        """Like `nn.Module.train`, but what is frozen stays in evaluation mode."""
        super().train(mode)
        for path, module in self.net.named_modules():
            own = [f"{path}.{name}".lstrip(".") for name, _ in module.named_parameters()]
            frozen = bool(own) and self._frozen.issuperset(own)
            if frozen or (self.freeze_bn and isinstance(module, nn.modules.batchnorm._BatchNorm)):
                module.eval()
        return self

    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and deviation of the published weights' inputs, where the library says them."""
        config = getattr(self.net, "pretrained_cfg", {})
        if "mean" not in config or "std" not in config:
            return None
        return tuple(config["mean"]), tuple(config["std"])

    def load_weights(self, weights: str) -> WeightsRecord:
        """Fill in values: "pretrained" (the publisher's), "none" (leave them random) or a file.

        Raises:
            MissingError: no such file, or no network and nothing cached.
            MismatchError: the weights are another architecture's.
            CorruptError: the file is damaged.
        """
        if weights == RANDOM:
            return WeightsRecord()
        state, record = self.read_weights(weights)
        self.fill(state, record)
        return record

    def read_weights(self, weights: str) -> tuple[Mapping[str, Tensor], WeightsRecord]:
        """The tensors of "pretrained" or of a file, the classifier's among them, and what they are.

        Raises:
            MissingError, CorruptError: see `load_weights`.
        """
        options = self.settings
        return read_backbone_weights(self.library, options.name, self.net, options.extra, weights)

    def fill(self, state: Mapping[str, Tensor], record: WeightsRecord) -> None:
        """Take the values of `read_weights`.

        Raises:
            MismatchError: they are another architecture's.
        """
        tolerated = (*(f"{name}." for name in self.classifier), *_AUXILIARY)
        load_state(self.net, state, source=record.name, tolerated=tolerated)

    def ahead_of(self, count: int) -> frozenset[str]:
        """Names of the parameters that the map of that number, 1 the finest, depends on.

        Raises:
            UsageError: there is no such map to freeze.
        """
        patches = getattr(self.net, "patch_embed", None)
        size = getattr(patches, "img_size", None) or (64, 64)  # a ViT takes one size
        with torch.enable_grad():
            maps = self._probe(*size)
        if not 0 < count <= len(maps):
            raise UsageError(
                f"backbone.freeze={count}, but {self.settings.name} has {len(maps)} levels.",
                f"Take a number from 0 to {len(maps)}.",
            )
        names, params = zip(*self.net.named_parameters(), strict=True)
        found = torch.autograd.grad(maps[count - 1].sum(), params, allow_unused=True)
        return frozenset(n for n, g in zip(names, found, strict=True) if g is not None)

    def _probe(self, height: int, width: int) -> list[Tensor]:
        """`feature_maps` of an empty image, in evaluation mode."""
        was_training = self.training
        self.eval()
        maps = self.feature_maps(torch.zeros(1, 3, height, width))
        self.train(was_training)
        return maps
