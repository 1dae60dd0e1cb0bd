"""Small random models and images: what the tests of this room build instead of real ones."""

from __future__ import annotations

from typing import Any

from sbirctl.checks.models import CLASSES as CLASSES
from sbirctl.checks.models import batch as batch
from sbirctl.checks.models import images as images
from sbirctl.models import MODELS, Model, create

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
SMALL = {name: MODELS.get(name).check_settings for name in MODELS.names()}


def small(
    name: str,
    classes: tuple[str, ...] | None = CLASSES,
    settings: dict[str, Any] | None = None,
    **more: str,
) -> Model:
    layers = [SMALL[name], settings or {}]
    return create(name, device="cpu", weights="none", classes=classes, layers=layers, **more)
