"""The five embedding networks FFMLN's Table 5 compares, each a descriptor over a backbone.

amff          maximum-pooled levels beside the sum of their attention vectors (`amff.py`)
vgg16         the 4,096 features of a VGG-16 ahead of its classifier
cse-resnet50  maximum-pooled last map of an SE-ResNet-50 whose squeeze-and-excitation blocks see the
              modality (Liu et al., "Semantic-Aware Knowledge Preservation for ZS-SBIR", ICCV 2019)
egff          maximum-pooled levels under SimAM's energy attention (Ren et al., "Energy-Guided
              Feature Fusion for ZS-SBIR", 2022; Yang et al., "SimAM", ICML 2021)
siamese-cnn   the maximum-pooled last map of the backbone, nothing else
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.errors import UsageError
from sbirctl.models.layers.amff import LevelTransformer, Patches, initialise
from sbirctl.models.layers.backbones import Backbone, BackboneSettings
from sbirctl.models.layers.conditioned_se import ConditionedSE
from sbirctl.models.layers.library_networks import build

BACKBONES: dict[str, str] = {"vgg16": "vgg16", "cse-resnet50": "seresnet50"}
DEFAULT_BACKBONE = "resnet50"
LAST = 4  # number of the coarsest level


def pool(maps: Tensor) -> Tensor:
    """(n, C, H, W) to (n, C), the largest value of each channel."""
    return maps.amax((2, 3))


class EmbeddingNetwork(nn.Module):
    """Images to descriptors; as it stands the siamese CNN.

    Args:
        backbone: shared by sketches and photos.
        size: side of the input in pixels.
        numbers: the levels to fuse, 4 the coarsest; a plain network takes level 4 alone.

    Attributes:
        width: length of a descriptor.
        normalised: every part of a descriptor (a pooled level, AMFF's vector) is 1 long, instead of
            as long as it comes: of pretrained features some 190, AMFF's share of that a hundredth.

    Raises:
        UsageError: a level the backbone does not have.
    """

    normalised = False

    def __init__(self, backbone: Backbone, size: int, numbers: Sequence[int] = (LAST,)) -> None:
        super().__init__()
        self.backbone = backbone
        known = backbone.shapes(size)
        least = max(1, LAST + 1 - len(known))
        self.numbers = tuple(sorted(set(numbers)))
        if not self.numbers or not all(least <= number <= LAST for number in self.numbers):
            raise UsageError(
                f"levels={','.join(map(str, numbers))} cannot be fused.",
                f"{backbone.settings.name} has the levels {least} to {LAST}.",
            )
        self.shapes = [known[number - LAST - 1] for number in self.numbers]
        self.width = sum(channels for channels, _ in self.shapes)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """What is trained besides the backbone, by name."""
        return {}

    def maps(self, images: Tensor) -> list[Tensor]:
        """The maps of the chosen levels, finest first."""
        found = self.backbone.feature_maps(images)
        return [found[number - LAST - 1] for number in self.numbers]

    def remarks(self) -> list[str]:
        """What a person should know of this network at its size of input, a line each."""
        return []

    def forward(self, images: Tensor, is_sketch: Tensor) -> Tensor:
        """(n, 3, size, size) images and (n,) bool to (n, width) descriptors."""
        return self._joined([pool(m) for m in self.maps(images)])

    def _joined(self, partial: Sequence[Tensor]) -> Tensor:
        """The parts of a descriptor, (n, width of a part) each, side by side."""
        if self.normalised:
            partial = [F.normalize(part.float(), dim=1) for part in partial]
        return torch.cat(list(partial), dim=1)


class WholeNetwork(EmbeddingNetwork):
    """VGG-16: the features its own classifier would see."""

    def __init__(self, backbone: Backbone, size: int) -> None:
        super().__init__(backbone, size)
        self.width = backbone.width

    def forward(self, images: Tensor, is_sketch: Tensor) -> Tensor:
        """See `EmbeddingNetwork.forward`."""
        return self._joined([self.backbone(images)])


class ConditionedNetwork(EmbeddingNetwork):
    """CSE-ResNet-50: the channel attention of every block knows the modality."""

    def __init__(self, backbone: Backbone, size: int) -> None:
        super().__init__(backbone, size)
        self.modality = ConditionedSE(backbone)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """See `EmbeddingNetwork.parts`."""
        return {"modality": list(self.modality.parameters())}

    def forward(self, images: Tensor, is_sketch: Tensor) -> Tensor:
        """See `EmbeddingNetwork.forward`."""
        with self.modality.given(is_sketch):
            return super().forward(images, is_sketch)


class EnergyNetwork(EmbeddingNetwork):
    """EGFF: every level under its energy attention.

    Args:
        guided: the finer levels' attention is that of ReLU(map + coarsest map brought to its
            channels and size by a learned 3 x 3 convolution), as in EGFF's code, whose number of
            parameters is the one Table 4 gives; otherwise nothing is learned.
    """

    def __init__(
        self, backbone: Backbone, size: int, numbers: Sequence[int], *, guided: bool = False
    ) -> None:
        super().__init__(backbone, size, numbers)
        channels = [c for c, _ in self.shapes]
        finer = channels[:-1] if guided else []
        self.guides = nn.ModuleList(nn.Conv2d(channels[-1], c, 3, padding=1) for c in finer)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """See `EmbeddingNetwork.parts`."""
        return {"guides": list(self.guides.parameters())}

    def forward(self, images: Tensor, is_sketch: Tensor) -> Tensor:
        """See `EmbeddingNetwork.forward`."""
        *finer, last = self.maps(images)
        if not self.guides:
            return self._joined([pool(m * simam(m)) for m in (*finer, last)])
        pooled = []
        for own, guide in zip(finer, self.guides, strict=True):
            coarse = F.interpolate(guide(last), own.shape[-2:], mode="bilinear")
            pooled.append(pool(own * simam((own + coarse).relu())))
        return self._joined([*pooled, pool(last)])


class AttentionNetwork(EmbeddingNetwork):
    """AMFF: pooled levels beside the sum of the levels' attention vectors.

    Args:
        width, depth, heads: of the transformer. patch: side of a patch.
    """

    def __init__(
        self,
        backbone: Backbone,
        size: int,
        numbers: Sequence[int],
        *,
        width: int,
        depth: int,
        heads: int,
        patch: int,
    ) -> None:
        super().__init__(backbone, size, numbers)
        self.width += width
        self.transformer = LevelTransformer(width, depth, heads)
        self.patches = nn.ModuleList(Patches(c, s, width, patch) for c, s in self.shapes)
        initialise([self.patches], self.transformer)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """See `EmbeddingNetwork.parts`."""
        return {
            "patches": list(self.patches.parameters()),
            "transformer": list(self.transformer.parameters()),
        }

    def forward(self, images: Tensor, is_sketch: Tensor) -> Tensor:
        """See `EmbeddingNetwork.forward`."""
        maps = self.maps(images)
        vectors = [self.transformer(self._tokens(i, m)[0]) for i, m in enumerate(maps)]
        pooled = [pool(m) for m in maps]
        return self._joined([*pooled, torch.stack(vectors).sum(0)])

    def remarks(self) -> list[str]:
        """See `EmbeddingNetwork.remarks`: how much of each level's map its patches cover."""
        found = []
        for number, (_, side), own in zip(self.numbers, self.shapes, self.patches, strict=True):
            assert isinstance(own, Patches)
            patch = own.kernel_size[0]
            seen = (side // patch * patch / side) ** 2
            if seen < 1:
                found.append(
                    f"amff sees {seen:.0%} of level {number}: patches of {patch} x {patch} cover"
                    f" {side // patch * patch} of {side} rows and columns (size=224 covers all)"
                )
        return found

    def cls_attention(self, index: int, maps: Tensor) -> Tensor | None:
        """What the class token attends to in one of the fused levels.

        Args:
            index: place of the level among those fused. maps: (n, C, H, W) of that level.

        Returns:
            (n, rows, columns) weights of the patches; None without transformer blocks.
        """
        tokens, grid = self._tokens(index, maps)
        weights = self.transformer.attention(tokens)
        return None if weights is None else weights.unflatten(1, grid)

    def _tokens(self, index: int, maps: Tensor) -> tuple[Tensor, tuple[int, int]]:
        patches = self.patches[index]
        assert isinstance(patches, Patches)
        return patches.tokens(maps)


def simam(maps: Tensor, eps: float = 1e-4) -> Tensor:
    """Energy attention without parameters (SimAM, as EGFF has it), 0.5..1, same shape.

    sigmoid( (x - mean)^2 / (4 (variance + eps)) + 1/2 ), mean and variance over the channel.
    """
    squared = (maps - maps.mean((2, 3), keepdim=True)).square()
    return (squared / (4 * (squared.mean((2, 3), keepdim=True) + eps)) + 0.5).sigmoid()


def build_network(
    name: str,
    backbone: BackboneSettings,
    size: int,
    *,
    freeze_bn: bool,
    levels: Sequence[int],
    width: int,
    depth: int,
    heads: int,
    patch: int,
    energy_guide: bool,
    normalised: bool = False,
) -> EmbeddingNetwork:
    """The embedding network of that name with random values.

    Args:
        name: as in the table above.
        backbone: "auto" is ResNet-50, or the one the network is named after.
        size: side of the input in pixels.
        freeze_bn: batch norm keeps its running statistics.
        levels: those that amff and egff fuse, see `EmbeddingNetwork`.
        width, depth, heads, patch: of amff, see `AttentionNetwork`.
        energy_guide: of egff, see `EnergyNetwork`.
        normalised: see `EmbeddingNetwork`.

    Raises:
        UsageError: an unknown backbone, one the network cannot stand on, or a level it has not.
    """
    if backbone.name == "auto":
        backbone = replace(backbone, name=BACKBONES.get(name, DEFAULT_BACKBONE))
    if name == "vgg16" and not backbone.name.startswith("vgg"):
        raise UsageError(
            f"network=vgg16 does not stand on {backbone.name}.", "Leave the backbone out."
        )
    built = build(backbone, freeze_bn=freeze_bn)
    made: EmbeddingNetwork
    if name == "amff":
        made = AttentionNetwork(
            built, size, levels, width=width, depth=depth, heads=heads, patch=patch
        )
    elif name == "egff":
        made = EnergyNetwork(built, size, levels, guided=energy_guide)
    else:
        plain = {"vgg16": WholeNetwork, "cse-resnet50": ConditionedNetwork}
        made = plain.get(name, EmbeddingNetwork)(built, size)
    made.normalised = normalised
    return made
