"""Attention Map Feature Fusion of FFMLN (section 3.2): one transformer reads all levels.

The paper calls AMFF "pretrained on ImageNet": its twelve blocks have the shapes of ViT-B/16's, from
whose weights it can start (`load_vit`); the authors' code starts it at random.

Each level's map is cut into patches by a convolution of its own; a class token and a pre-norm
transformer encoder without positions are shared by the levels. The vector of a level is the
sigmoid of the normalised class token; the vectors of the levels are summed. Blocks are timm's;
they and the initial values are those of the authors' code (haizhu12/ammln @ f284a64).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.models._weights import load_state


class Patches(nn.Conv2d):
    """Convolution with kernel = stride: a map to one token a patch.

    Args:
        channels: of the map.
        side: of the map, for which the patch is made smaller where necessary.
        width: of a token.
        patch: side of a patch; what is left over at the right and lower border is not seen.
    """

    def __init__(self, channels: int, side: int, width: int, patch: int) -> None:
        kernel = min(patch, side)
        super().__init__(channels, width, kernel, stride=kernel)

    def tokens(self, maps: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(n, C, H, W) to (n, rows * columns, width), and (rows, columns)."""
        side, _ = self.kernel_size
        rows, columns = maps.shape[2] // side, maps.shape[3] // side
        # The same as self(maps): as a matrix product several times as fast on a processor.
        cut = maps[:, :, : rows * side, : columns * side]
        cut = cut.unflatten(3, (columns, side)).unflatten(2, (rows, side))
        cut = cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return F.linear(cut, self.weight.flatten(1), self.bias), (rows, columns)


class LevelTransformer(nn.Module):
    """The encoder all levels share, with its class token and final normalisation.

    Args:
        width: of a token. depth: number of blocks; 0 leaves the same vector for every image.
        heads: of the attention, Eqs. 1 and 2.

    Raises:
        UsageError: the heads do not divide the width.
    """

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        if width < 1 or depth < 0 or heads < 1 or width % heads:
            raise UsageError(
                f"width={width}, depth={depth}, heads={heads} give no transformer.",
                "The heads must divide the width.",
            )
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.blocks = nn.ModuleList(
            Block(width, heads, mlp_ratio=4.0, qkv_bias=True, norm_layer=norm) for _ in range(depth)
        )
        self.norm = norm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, t, width) tokens of one level to its vector, (n, width) in 0..1."""
        tokens = self._with_cls(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, 0]).sigmoid()

    def attention(self, tokens: Tensor) -> Tensor | None:
        """What the class token attends to in the last block.

        Returns:
            (n, t) weights of the level's tokens, mean over the heads; with the weight the class
            token gives itself they add up to 1. None without blocks.
        """
        if not self.blocks:
            return None
        tokens = self._with_cls(tokens)
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        last: Any = self.blocks[-1]
        n, t, _ = tokens.shape
        heads = last.attn.num_heads
        qkv = last.attn.qkv(last.norm1(tokens)).reshape(n, t, 3, heads, -1).permute(2, 0, 3, 1, 4)
        query, key = qkv[0, :, :, :1], qkv[1]
        weights = (query * last.attn.scale) @ key.transpose(-2, -1)
        return weights.float().softmax(-1).mean(1)[:, 0, 1:]

    def load_vit(self, state: Mapping[str, Tensor], source: str) -> None:
        """Start from the class token, the first blocks and the last norm of a ViT.

        Args:
            state: by timm's names; its patches and positions have no use here.
            source: name of the file, for messages.

        Raises:
            MismatchError: the blocks are of other sizes, or fewer.
        """
        renamed = {("cls" if k == "cls_token" else k): v for k, v in state.items()}
        own = {k: renamed[k] for k in self.state_dict() if k in renamed}
        try:
            load_state(self, own, source=source)
        except MismatchError as error:
            error.hint = "ViT-B/16 has width=768, heads=12 and twelve blocks."
            raise

    def _with_cls(self, tokens: Tensor) -> Tensor:
        return torch.cat([self.cls.to(tokens.dtype).expand(tokens.shape[0], -1, -1), tokens], dim=1)


def initialise(modules: Sequence[nn.Module], transformer: LevelTransformer) -> None:
    """Initial values of patches and transformer as in the authors' code."""
    for root in (*modules, transformer):
        for module in root.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    nn.init.trunc_normal_(transformer.cls, std=0.02)
