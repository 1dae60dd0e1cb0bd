"""CLIP's two encoders with prompts that each makes for the other (SpLIP, ECCV 2024).

    T        = B_t(E_0)        prompts of the text encoder, from the picture's patches
    V^tg     = B_v(W')         prompts of the image encoder, from "sketch of a" or "photo of a"
    V^ms_l   = B_vt(W_l)       prompts of its layer l, from layer l of the text encoder, all classes

T stands in every layer of the text encoder, V^tg and V^ms_l in layer l of the image encoder. The
texts of all training classes are encoded for every picture: a picture costs as many texts as
there are classes. They are cut after their last word, which the causal mask makes exact.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sbirctl.models.layers.mapping_block import MappingBlock


@dataclass(frozen=True)
class ClassTokens:
    """Token numbers of the texts of all classes in one modality, cut to the longest.

    Attributes:
        tokens: (classes, length) int64: start, words, end, and zeros.
        lead: how many tokens at the front all have: the start and the words before the name.
        end: (classes,) int64 place of the end token.
    """

    tokens: Tensor
    lead: int
    end: Tensor

    def to(self, device: torch.device) -> ClassTokens:
        """The same on a device."""
        return ClassTokens(self.tokens.to(device), self.lead, self.end.to(device))


class PromptBlocks(nn.Module):
    """B_t, B_v and B_vt.

    Args:
        patches: number of patches and width of the image encoder.
        width: of the text encoder.
        text_prompts, visual_prompts: number of T and of V^ms; 0 leaves them out.
        guided: whether there are V^tg.
        hidden, layers: of each block.
    """

    def __init__(
        self,
        patches: tuple[int, int],
        width: int,
        *,
        text_prompts: int,
        visual_prompts: int,
        guided: bool,
        hidden: int,
        layers: int,
    ) -> None:
        super().__init__()
        own = patches[1]
        self.to_text = (
            MappingBlock(patches, (text_prompts, width), hidden, layers) if text_prompts else None
        )
        self.guide = MappingBlock((1, width), (1, own), hidden, layers) if guided else None
        self.mutual = (
            MappingBlock((1, width), (visual_prompts, own), hidden, layers)
            if visual_prompts
            else None
        )


class SharedPromptEncoder(nn.Module):
    """Both frozen encoders of an open_clip model with the prompt blocks between them.

    Args:
        clip: its image tower is registered here, its text tower stays the caller's.
        blocks: between them.
        norms: whether the image tower's LayerNorms are trained.
    """

    def __init__(self, clip: Any, blocks: PromptBlocks, norms: bool) -> None:
        super().__init__()
        self.visual: Any = clip.visual.requires_grad_(False)
        self.blocks = blocks
        self._text = (clip,)  # not registered twice
        for module in self.visual.modules():
            if isinstance(module, nn.LayerNorm):
                module.requires_grad_(norms)

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return int(self.visual.output_dim)

    def forward(self, images: Tensor, texts: ClassTokens | None) -> tuple[Tensor, Tensor | None]:
        """Features of pictures of one modality, and of the class texts as each picture sees them.

        Args:
            images: (n, 3, H, W) normalised.
            texts: of the training classes in that modality; None: without prompts.

        Returns:
            (n, dim) not normalised; (n, classes, dim) not normalised, None without texts.
        """
        visual = self.visual
        patches = visual.conv1(images).flatten(2).transpose(1, 2)
        places = visual.positional_embedding.to(patches.dtype)
        patches = patches + places[1:]
        first = visual.class_embedding.to(patches.dtype) + places[:1]
        first = first.expand(images.shape[0], 1, -1)
        prompts, features = self._from_texts(patches, texts)
        x = visual.ln_pre(torch.cat([first, patches], dim=1))
        for block, more in zip(visual.transformer.resblocks, prompts, strict=True):
            length = x.shape[1]
            x = block(torch.cat([x, more.to(x.dtype)], dim=1))[:, :length]
        out = visual.ln_post(x[:, 0])
        return (out if visual.proj is None else out @ visual.proj), features

    def trained_state(self) -> dict[str, Tensor]:
        """The trained parameters by name."""
        return {n: p.detach() for n, p in self.named_parameters() if p.requires_grad}

    def frozen_digest(self) -> str:
        """SHA-256 over all values that are never trained, those of the text tower among them."""
        total = hashlib.sha256()
        values = dict(self.named_parameters())
        values |= {f"text.{n}": p for n, p in self._text[0].named_parameters()}
        for name in sorted(n for n, p in values.items() if not p.requires_grad):
            total.update(name.encode())
            total.update(values[name].detach().float().cpu().contiguous().numpy().tobytes())
        return total.hexdigest()

    def _from_texts(
        self, patches: Tensor, texts: ClassTokens | None
    ) -> tuple[list[Tensor], Tensor | None]:
        """Prompts of each layer of the image encoder, (n, prompts, width), and text features."""
        layers = len(self.visual.transformer.resblocks)
        none = patches[:, :0]
        if texts is None:
            return [none] * layers, None
        clip, blocks = self._text[0], self.blocks
        n, classes = patches.shape[0], len(texts.tokens)
        words = clip.token_embedding(texts.tokens)
        inserted = none.new_zeros(n, 0, words.shape[-1])
        if blocks.to_text is not None:
            inserted = blocks.to_text(patches)
        count = inserted.shape[1]
        again = inserted.repeat_interleave(classes, dim=0)
        x = words.repeat(n, 1, 1)
        x = torch.cat([x[:, :1], again.to(x.dtype), x[:, 1:]], dim=1)
        x = x + clip.positional_embedding[: x.shape[1]]
        mask = clip.attn_mask[: x.shape[1], : x.shape[1]].to(x.dtype)
        row = torch.arange(classes, device=patches.device).repeat(n)
        end = texts.end[row] + count
        pick = end[:, None, None].expand(-1, 1, x.shape[-1])
        states = []
        for block in clip.transformer.resblocks:
            x = torch.cat([x[:, :1], again.to(x.dtype), x[:, 1 + count :]], dim=1)
            x = block(x, attn_mask=mask)
            states.append(x.gather(1, pick)[:, 0])
        features = clip.ln_final(states[-1]) @ clip.text_projection
        prompts = [none] * layers
        if blocks.guide is not None:
            lead = words[:1, : texts.lead].transpose(0, 1)  # each token is one of its own
            guide = blocks.guide(lead).transpose(0, 1)
            prompts = [guide.expand(n, -1, -1)] * layers
        if blocks.mutual is not None:
            for layer in range(layers):
                state = states[layer * len(states) // layers].unflatten(0, (-1, classes))
                made = blocks.mutual(state.mean(dim=1, keepdim=True))
                prompts[layer] = torch.cat([prompts[layer], made], dim=1)
        return prompts, features.unflatten(0, (-1, classes))
