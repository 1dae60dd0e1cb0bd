"""The model file and pictures: what is written, and how the product is to read it.

`starter.safetensors` holds

- `photo.NAME`: every tensor of timm's `tf_efficientnet_lite0`, NAME as timm has it;
- `drawing.NAME`: those of the drawing side that differ; the others are the photo side's;
- `head.photo_offset`, `head.drawing_offset` (1000,), `head.photo_temperature`,
  `head.drawing_temperature` () and `head.classes` (1000, d): `vectors.Head`. With s the 1,000 class
  scores of a side, v = softmax((s - offset) / temperature) @ classes, divided by its length.

Tensors of more than one dimension are float16, all others float32; all are widened to float32 when
loaded. Input of both sides: RGB, 2 x / 255 - 1. A photo is squashed to `photo_size`; a drawing is
put in its place (`drawings`), then reduced to `drawing_size`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.starter import network
from benchmarks.starter.drawings import FILL
from benchmarks.starter.vectors import Head

PHOTO_SIZE = 160


def save(path: Path, photo: Any, drawing: Any, head: Head) -> None:
    """Write the model file."""
    tensors = {f"photo.{name}": value for name, value in photo.state_dict().items()}
    for name, value in drawing.state_dict().items():
        if not torch.equal(value, tensors[f"photo.{name}"]):
            tensors[f"drawing.{name}"] = value
    for side, offset in head.offsets.items():
        tensors[f"head.{side}_offset"] = offset
        tensors[f"head.{side}_temperature"] = torch.tensor(head.temperatures[side])
    tensors["head.classes"] = head.classes
    kept = {name: _narrow(value) for name, value in tensors.items() if value.is_floating_point()}
    save_file(kept, path, {"format": "pt", "model": network.MODEL})


def _narrow(value: Tensor) -> Tensor:
    return (value.half() if value.ndim > 1 else value.float()).contiguous().clone()


def load(path: Path) -> tuple[dict[str, Any], Head]:
    """Both sides' networks, float32, and the constants."""
    tensors = {name: value.float() for name, value in load_file(path).items()}
    parts: dict[str, dict[str, Tensor]] = {"photo": {}, "drawing": {}, "head": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    fixed = parts["head"]
    sides = {
        "photo": network.lite0(parts["photo"]),
        "drawing": network.lite0({**parts["photo"], **parts["drawing"]}),
    }
    offsets = {side: fixed[f"{side}_offset"] for side in sides}
    temperatures = {side: float(fixed[f"{side}_temperature"]) for side in sides}
    return sides, Head(offsets, temperatures, fixed["classes"])


def photos(paths: Iterable[Path], size: int = PHOTO_SIZE) -> np.ndarray:
    """Photos squashed to a square, (n, size, size, 3) uint8."""
    return np.stack([_photo(path, size) for path in paths])


def _photo(path: Path, size: int) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def drawn(paths: Iterable[Path], size: int) -> np.ndarray:
    """Pictures of drawings, dark on white, put in their place, (n, size, size) uint8."""
    return np.stack([_drawn(path, size) for path in paths])


def _drawn(path: Path, size: int) -> np.ndarray:
    from sbirctl.drawings.placement import Placement, normalize_placement

    with Image.open(path) as image:
        sheet = normalize_placement(image.convert("L"), Placement(FILL, FILL, FILL, 0.0))
    return np.asarray(sheet.resize((size, size), Image.Resampling.BOX))


@torch.inference_mode()
def class_scores(model: Any, pictures: np.ndarray, batch: int = 64) -> Tensor:
    """(n, h, w[, 3]) uint8 to (n, 1000) class scores, float32."""
    parts = []
    for start in range(0, len(pictures), batch):
        x = network.pixels(pictures[start : start + batch])
        x = x.contiguous(memory_format=torch.channels_last)
        parts.append(network.upper(model, network.lower(model, x))[1])
    return torch.cat(parts)
