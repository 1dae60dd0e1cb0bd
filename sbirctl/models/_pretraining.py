"""What starting weights were trained on, as far as their publishers say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from sbirctl.models._weights import RANDOM, WeightsRecord

IMAGENET = "ImageNet-1k"
NOT_STATED = "not stated"
_LIBRARIES = ("torchvision ", "timm ", "open_clip ")  # their published names say what they were
# A part of the published name, the data, and what they were labelled with; the first that fits.
_KNOWN = (
    (r"ijepa", "images of ImageNet", "none"),
    (r"in2[12]k|in12k|IMAGENET2[12]K", "ImageNet-21k", "class names, ImageNet-1k's among them"),
    (r"in1k|IMAGENET1K", IMAGENET, "its 1,000 class names"),
    (r"openai", "400 million image-text pairs of OpenAI, not published", "captions"),
    (r"laion", "LAION's image-text pairs", "captions"),
    (r"datacomp", "DataComp's image-text pairs", "captions"),
    (r"dfn|webli|mclip|metaclip", "image-text pairs that are not published", "captions"),
    (r"dino|lvd|mae|ijepa", "images", "none"),
)


def pretrained_on(record: WeightsRecord) -> tuple[str, str]:
    """(data, labels) in words; data is "none" for random values.

    A file is known by the digest that torchvision and timm put into the names of theirs.
    """
    if record.name == RANDOM:
        return "none", "none"
    name = record.name
    if record.sha256 and not name.startswith(_LIBRARIES):
        name += f" {_published().get(record.sha256[:8], '')}"
    for part, data, labels in _KNOWN:
        if re.search(part, name):
            return data, labels
    return NOT_STATED, NOT_STATED


@cache
def _published() -> dict[str, str]:
    """{first eight digits of a file's SHA-256: its published name}."""
    found = ((re.search(r"-([0-9a-f]{8})\.pth?$", url), name) for url, name in _urls())
    return {digits[1]: name for digits, name in found if digits}


def _urls() -> Iterator[tuple[str, str]]:
    import timm
    import torchvision
    from timm.models import get_pretrained_cfg

    for model in torchvision.models.list_models():
        for weights in torchvision.models.get_model_weights(model):
            yield weights.url, weights.name
    for name in timm.list_pretrained():
        config = get_pretrained_cfg(name)
        if config is not None and config.url:
            yield config.url, name
