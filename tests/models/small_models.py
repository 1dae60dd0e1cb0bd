"""Small random models and images: what the tests of this room build instead of real ones."""

from __future__ import annotations

from typing import Any

import torch

from sbirctl.models import Model, create
from sbirctl.sampling.batch import Batch

CLASSES = ("cat", "dog", "owl")
TINY_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {
        "image_size": 32,
        "layers": 2,
        "width": 32,
        "head_width": 16,
        "patch_size": 16,
    },
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
# Settings that make a registered model small; a new model adds its line here.
SMALL: dict[str, dict[str, Any]] = {
    "baseline": {
        "backbone": "mobilenetv2_100",
        "size": 32,
        "dim": 8,
        "triplet": 0.5,
        "batch": 8,
        "per_class": 2,
        "mirror": False,
    },
    "ffmln": {
        "backbone": "mobilenetv2_100",
        "size": 32,
        "dim": 8,
        "width": 16,
        "depth": 2,
        "heads": 2,
        "batch": 8,
        "per_class": 2,
    },
    "semi3": {
        "backbone": "mobilenetv3_small_050",
        "size": 32,
        "dim": 8,
        "fc": 16,
        "batch": 4,
        "dropout": 0.0,
    },
    "drclip": {"backbone": {"name": "tiny-clip", "pretrained": "none"}, "size": 32, "batch": 4},
    "clip": {"backbone": {"name": "tiny-clip", "pretrained": "none"}, "size": 32},
}


def small(
    name: str,
    classes: tuple[str, ...] | None = CLASSES,
    settings: dict[str, Any] | None = None,
    **more: str,
) -> Model:
    assert name in SMALL, f"give the model {name} small settings in SMALL"
    layers = [SMALL[name], settings or {}]
    return create(name, device="cpu", weights="none", classes=classes, layers=layers, **more)


def images(n: int, channels: int = 3, side: int = 40, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (n, channels, side, side)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def batch(n: int = 4) -> Batch:
    labels = torch.arange(n) % 2
    return Batch(
        photo=images(n, seed=1),
        sketch=images(n, seed=2),
        edge=images(n, 1, seed=3),
        photo_label=labels,
        sketch_label=labels,
        photo_instance=torch.arange(n),
        sketch_instance=torch.arange(n),
        tuples=torch.tensor([[i, i, (i + 1) % n, (i + 1) % n] for i in range(n)]),
        ids=tuple(f"image {i}" for i in range(2 * n)),
    )
