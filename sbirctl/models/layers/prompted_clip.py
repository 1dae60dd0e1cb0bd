"""CLIP's image encoder with prompts and LayerNorms chosen by modality, over one set of weights.

The sketch and the photo branch of Dr. CLIP start from the same encoder and share every frozen
weight, so there is one encoder in memory: its LayerNorm affines and prompts are looked up by
modality, and one pass takes the sketches and photos of a batch together. With no prompts and
untouched LayerNorms it is exactly CLIP; asked for the reference it is CLIP whatever was trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.errors import UsageError
from sbirctl.losses import at_least_float32

TrainedPart = Literal["norms", "prompts", "proj", "attention", "embeddings"]
PHOTO, SKETCH = 0, 1


@dataclass
class _Choice:
    """Which rows of the running pass are sketches: the first `sketches`; None: the reference."""

    sketches: int | None = 0


class ModalityLayerNorm(nn.Module):
    """A LayerNorm with one affine a branch, and the frozen one it started from.

    Attributes:
        weight, bias: (branches, width), row `PHOTO` and row `SKETCH`; one row serves both when
            the branches are one.
    """

    frozen_weight: Tensor
    frozen_bias: Tensor

    def __init__(self, norm: nn.LayerNorm, branches: int, choice: _Choice) -> None:
        super().__init__()
        self.eps = norm.eps
        self.weight = nn.Parameter(norm.weight.detach().repeat(branches, 1))
        self.bias = nn.Parameter(norm.bias.detach().repeat(branches, 1))
        self.register_buffer("frozen_weight", norm.weight.detach().clone(), persistent=False)
        self.register_buffer("frozen_bias", norm.bias.detach().clone(), persistent=False)
        self._choice = choice

    def forward(self, x: Tensor) -> Tensor:
        """(n, …, width) to the same shape; sketches come first in n."""
        sketches = self._choice.sketches
        if sketches is None:
            return self._normalise(x, self.frozen_weight, self.frozen_bias)
        if len(self.weight) == 1 or sketches in (0, x.shape[0]):
            row = SKETCH if sketches and len(self.weight) > 1 else PHOTO
            return self._normalise(x, self.weight[row], self.bias[row])
        # split, not slices: its backward joins the two gradients instead of adding padded ones
        first, second = x.split([sketches, x.shape[0] - sketches])
        return torch.cat(
            [
                self._normalise(first, self.weight[SKETCH], self.bias[SKETCH]),
                self._normalise(second, self.weight[PHOTO], self.bias[PHOTO]),
            ]
        )

    def _normalise(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        # In float32: steps of a learning rate of 1e-4 are below the digits of bfloat16.
        found = F.layer_norm(at_least_float32(x), x.shape[-1:], weight, bias, self.eps)
        return found.to(x.dtype)


class PromptedEncoder(nn.Module):
    """An open_clip vision transformer with token pooling, prompted.

    Args:
        visual: the image tower; its LayerNorms are replaced in place, its weights stay.
        prompts: (2, k, width) starting values of the prompt tokens, rows `PHOTO` and `SKETCH`; or
            (1, k, width), common to both.
        position: "after" [CLS, patches], read-out at CLS; "before" CLS, read-out at the first
            prompt (what the released code of Dr. CLIP does).
        branches: 2, or 1 for one encoder that differs in the prompts only (CLIP-all).
        train: the parts that are trained; all else is frozen.

    Raises:
        UsageError: the tower does not pool a token, or is no vision transformer.
    """

    def __init__(
        self,
        visual: Any,
        prompts: Tensor,
        *,
        position: Literal["after", "before"] = "after",
        branches: int = 2,
        train: tuple[TrainedPart, ...] = ("norms", "prompts"),
    ) -> None:
        super().__init__()
        if getattr(visual, "pool_type", "") != "tok" or getattr(visual, "attn_pool", None):
            raise UsageError(
                "This backbone has no class token that is read out.",
                "Take a CLIP vision transformer with token pooling, such as ViT-B-32.",
            )
        self.visual: Any = visual.requires_grad_(False)
        self.position = position
        self.branches = branches
        self._choice = _Choice()
        self._replace_norms(visual)
        self.prompts = nn.Parameter(prompts.clone())
        if visual.proj is not None and "proj" in train:
            self.proj = nn.Parameter(visual.proj.detach().repeat(branches, 1, 1))
        self._select(train)

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.visual.output_dim

    def forward(self, sketches: Tensor | None, photos: Tensor | None) -> Tensor:
        """One pass over both modalities.

        Args:
            sketches: (S, 3, H, W) normalised, or None. photos: (P, 3, H, W), or None.

        Returns:
            (S + P, dim) features, sketches first, not normalised.
        """
        given = [images for images in (sketches, photos) if images is not None]
        count = 0 if sketches is None else sketches.shape[0]
        with self._choose(count):
            tokens = self._tokens(torch.cat(given) if len(given) > 1 else given[0])
            ready = self.visual.ln_pre(self._with_prompts(tokens, count)).to(tokens.dtype)
            features = self.visual.transformer(ready)[:, 0]
            return self._project(self.visual.ln_post(features), count)

    def reference(self, images: Tensor) -> Tensor:
        """Features of untouched CLIP: (n, 3, H, W) to (n, dim), without gradient."""
        with torch.no_grad(), self._choose(None):
            tokens = self.visual.transformer(self.visual.ln_pre(self._tokens(images)))
            features = self.visual.ln_post(tokens[:, 0])
            return features if self.visual.proj is None else features @ self.visual.proj

    def without_prompts(self, images: Tensor) -> Tensor:
        """Features of the sketch branch as trained so far, without its prompts.

        The released code of Dr. CLIP takes these for the frozen reference.
        """
        with self._choose(images.shape[0]):
            tokens = self.visual.transformer(self.visual.ln_pre(self._tokens(images)))
            return self._project(self.visual.ln_post(tokens[:, 0]), images.shape[0])

    def trained_state(self) -> dict[str, Tensor]:
        """The trained parameters by name."""
        return {n: p.detach() for n, p in self.named_parameters() if p.requires_grad}

    def frozen_digest(self) -> str:
        """SHA-256 over all values that are never trained, the LayerNorms' first ones among them."""
        total = hashlib.sha256()
        values = dict(self.named_buffers())
        values |= {n: p.detach() for n, p in self.named_parameters() if not p.requires_grad}
        for name in sorted(values):
            total.update(name.encode())
            total.update(values[name].float().cpu().contiguous().numpy().tobytes())
        return total.hexdigest()

    @contextmanager
    def _choose(self, sketches: int | None) -> Iterator[None]:
        before, self._choice.sketches = self._choice.sketches, sketches
        try:
            yield
        finally:
            self._choice.sketches = before

    def _tokens(self, images: Tensor) -> Tensor:
        visual = self.visual
        patches = visual.conv1(images).flatten(2).transpose(1, 2)
        cls = visual.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        return torch.cat([cls, patches], 1) + visual.positional_embedding.to(patches.dtype)

    def _with_prompts(self, tokens: Tensor, sketches: int) -> Tensor:
        if not self.prompts.shape[1]:
            return tokens
        photos = tokens.shape[0] - sketches
        first, second = self.prompts[-1], self.prompts[PHOTO]  # one and the same if common
        chosen = torch.cat([first.expand(sketches, -1, -1), second.expand(photos, -1, -1)])
        tokens = at_least_float32(tokens)  # as the prompts, which half precision would round
        return torch.cat([tokens, chosen] if self.position == "after" else [chosen, tokens], 1)

    def _project(self, features: Tensor, sketches: int) -> Tensor:
        own = getattr(self, "proj", None)
        if own is None:
            return features if self.visual.proj is None else features @ self.visual.proj
        if len(own) == 1:
            return features @ own[0]
        first, second = features.split([sketches, features.shape[0] - sketches])
        return torch.cat([first @ own[SKETCH], second @ own[PHOTO]])

    def _replace_norms(self, root: nn.Module) -> None:
        for name, module in list(root.named_modules()):
            if isinstance(module, nn.LayerNorm):
                root.set_submodule(name, ModalityLayerNorm(module, self.branches, self._choice))

    def _select(self, train: tuple[TrainedPart, ...]) -> None:
        for module in self.modules():
            if isinstance(module, ModalityLayerNorm):
                module.requires_grad_("norms" in train)
            if isinstance(module, nn.MultiheadAttention) and "attention" in train:
                assert module.in_proj_weight is not None
                module.in_proj_weight.requires_grad_(True)
                if module.in_proj_bias is not None:
                    module.in_proj_bias.requires_grad_(True)
        self.prompts.requires_grad_("prompts" in train)
        if "embeddings" in train:
            self.visual.class_embedding.requires_grad_(True)
            self.visual.positional_embedding.requires_grad_(True)
