"""A vision transformer whose patch tokens come from a stack of convolutions, too (ZSE-SBIR).

Lin et al., CVPR 2023: the learnable tokenizer. Read from the released code.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sbirctl.core.errors import UsageError
from sbirctl.models.layers.backbones import Backbone

_NORM_EPS = 1e-5


class TokenViT(nn.Module):
    """The retrieval token and one token a patch, after the transformer's last norm.

    A patch's token is the mean of the transformer's own embedding of it and of overlapping
    convolutions, each of which halves the sides.

    Attributes:
        backbone: the transformer; its class token is the retrieval token.
        width: numbers of a token.
        grid: tokens a side.

    Raises:
        UsageError: the backbone is no such transformer, or its patches' side no power of 2.
    """

    def __init__(self, backbone: Backbone, dropout: float) -> None:
        super().__init__()
        net: Any = backbone.net
        parts = ("patch_embed", "cls_token", "pos_embed", "blocks", "norm")
        absent = [name for name in parts if getattr(net, name, None) is None]
        if absent:
            raise UsageError(
                f"{backbone.settings.name} is no vision transformer with a class token"
                f" (it has no {absent[0]}).",
                "Take vit_base_patch16_224.sam_in1k, for one.",
            )
        self.backbone = backbone
        self.width = int(net.embed_dim)
        (self.grid, other), (patch, _) = net.patch_embed.grid_size, net.patch_embed.patch_size
        halvings = patch.bit_length() - 1
        if patch != 1 << halvings or halvings < 1 or self.grid != other:
            raise UsageError(f"Patches of {patch} pixels cannot be made by halving.", "Take 16.")
        for module in net.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = _NORM_EPS
        for name, module in net.blocks.named_modules():
            if isinstance(module, nn.Dropout) and not name.endswith("attn_drop"):
                module.p = dropout
        self.stem = _halving(halvings, self.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) normalised images to (n, 1 + grid^2, width), the retrieval token first."""
        net = self.backbone.net
        convolved = self.stem(images).flatten(2).transpose(1, 2)
        patches = (net.patch_embed(images) + convolved) / 2
        tokens = torch.cat([net.cls_token.expand(len(images), -1, -1), patches], dim=1)
        tokens = self.dropout(tokens + net.pos_embed)
        for block in net.blocks:
            tokens = block(tokens)
        found: Tensor = net.norm(tokens)
        return found


def _halving(count: int, width: int) -> nn.Sequential:
    """So many convolutions of stride 2, the first of 7 pixels, with ReLU between them."""
    channels = [3, *(64 << i for i in range(count - 1)), width]
    layers: list[nn.Module] = []
    for i in range(count):
        kernel = 3 if i else 7
        layers += [
            nn.Conv2d(channels[i], channels[i + 1], kernel, 2, kernel // 2, bias=False),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers[:-1])
