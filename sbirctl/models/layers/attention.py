"""Where a model looks: activation energy and the class token's attention, as maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sbirctl.core.errors import UsageError

if TYPE_CHECKING:
    from sbirctl.models._base import Model
    from sbirctl.models.layers.prompted_clip import PromptedEncoder
    from sbirctl.store.manifest import Modality

BLOCKS_SHOWN = 3


@dataclass(frozen=True)
class AttentionMap:
    """What one level, or one block, makes of n images.

    Attributes:
        name: for people, "level 4" or "block 12".
        energy: (n, h, w) float32, mean square of the activations over the channels.
        cls: (n, rows, columns) float32, weights of the class token's attention (mean over the
            heads); None where there is no class token.
    """

    name: str
    energy: Tensor
    cls: Tensor | None


def attention_maps(model: Model, images: Tensor, modality: Modality) -> list[AttentionMap]:
    """What a model has to show, in evaluation mode, coarsest level or last block at the end.

    Args:
        images: (n, 1 or 3, H, W) uint8 on the model's device.

    Raises:
        UsageError: the model has neither levels nor a class token.
    """
    from sbirctl.models.layers.prompted_clip import PromptedEncoder

    own: Any = getattr(model, "attention", None)
    encoder = getattr(model, "encoder", None)
    with torch.no_grad(), model.autocast():
        if callable(own):
            return own(images, modality)
        if isinstance(encoder, PromptedEncoder):
            return _of_vit(encoder, model.preprocess(images, modality), modality)
    raise UsageError(f"{model.name} has no attention to show.", "Take a run of ffmln or of drclip.")


def _of_vit(encoder: PromptedEncoder, images: Tensor, modality: Modality) -> list[AttentionMap]:
    """Of the blocks at one third, two thirds and the end of a prompted vision transformer."""
    blocks = list(encoder.visual.transformer.resblocks)
    count = len(blocks)
    shown = sorted({-(-count * k // BLOCKS_SHOWN) - 1 for k in range(1, BLOCKS_SHOWN + 1)})
    outputs: dict[int, Tensor] = {}
    weights: dict[int, Tensor] = {}

    def keep(index: int) -> Callable[[Any, tuple[Any, ...], Tensor], None]:
        def hook(block: Any, given: tuple[Any, ...], output: Tensor) -> None:
            normed = block.ln_1(given[0])  # in here the affines are those of the modality
            weights[index] = block.attn(normed, normed, normed, need_weights=True)[1]
            outputs[index] = output

        return hook

    hooks = [blocks[index].register_forward_hook(keep(index)) for index in shown]
    try:
        encoder(images, None) if modality == "sketch" else encoder(None, images)
    finally:
        for hook in hooks:
            hook.remove()
    rows, columns = encoder.visual.grid_size
    prompts = encoder.prompts.shape[1]
    first = 1 if encoder.position == "after" else prompts + 1
    patches = slice(first, first + rows * columns)
    made = []
    for index in shown:
        energy = outputs[index].float().square().mean(2)[:, patches]
        cls = weights[index].float()[:, 0, patches]
        made.append(
            AttentionMap(
                f"block {index + 1}",
                energy.unflatten(1, (rows, columns)),
                cls.unflatten(1, (rows, columns)),
            )
        )
    return made
