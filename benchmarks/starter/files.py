"""The model in the package: an exported model's folder like any other, and pictures for training.

`photo.onnx`, `sketch.onnx`, `weights.bin` and `card.toml` as `sbirctl export` writes them
(docs/formats.md). With s the 1,000 class scores of a side, its vector is
softmax((s - offset) / temperature) @ classes, divided by its length (`vectors.Head`). Weights of
more than one dimension are kept in half precision and widened in the graph; both sides share those
that are equal. Input: RGB, 2 x / 255 - 1; a photo is squashed to `PHOTO_SIZE`, a drawing is put in
its place (`drawings`) and reduced to `drawings.SIZE`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks.starter import network
from benchmarks.starter.drawings import FILL, SIZE
from benchmarks.starter.vectors import Head
from sbirctl import __version__
from sbirctl.core.files import digest_file
from sbirctl.drawings.placement import Placement
from sbirctl.inference.export import write_side
from sbirctl.inference.onnx import CARD, SCHEMA, WEIGHTS, OnnxEncoder
from sbirctl.inference.shared_weights import share_weights

PHOTO_SIZE = 160
ABOUT = Path(__file__).with_name("about.toml")
_SIDES = {"photo": ("photo", PHOTO_SIZE, 3), "sketch": ("drawing", SIZE, 1)}


class Side(nn.Module):
    """A side's network and head: (n, size, size, C) uint8 to (n, dim) vectors of length one."""

    def __init__(self, model: Any, head: Head, side: str) -> None:
        super().__init__()
        self.model, self.temperature = model, head.temperatures[side]
        self.register_buffer("offset", head.offsets[side])
        self.register_buffer("classes", head.classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """The vectors."""
        x = pictures.permute(0, 3, 1, 2).float().expand(-1, 3, -1, -1) / 127.5 - 1
        soft = torch.softmax((self.model(x) - self.offset) / self.temperature, 1)
        return nn.functional.normalize(soft @ self.classes, dim=1)


def save(folder: Path, photo: Any, drawing: Any, head: Head, pictures: np.ndarray) -> float:
    """Write the model's folder.

    Args:
        folder: need not exist.
        photo, drawing: networks of the sides.
        head: the constants.
        pictures: (n, SIZE, SIZE) uint8 drawings to compare with single precision on.

    Returns:
        The worst cosine between the files' vectors and those of single precision.
    """
    folder.mkdir(parents=True, exist_ok=True)
    models = {"photo": photo, "sketch": drawing}
    sides = {name: Side(models[name], head, side).eval() for name, (side, *_) in _SIDES.items()}
    for name, (_, size, channels) in _SIDES.items():
        example = torch.zeros(2, size, size, channels, dtype=torch.uint8)
        write_side(sides[name], folder / f"{name}.onnx", example)
    share_weights([folder / f"{name}.onnx" for name in _SIDES], folder / WEIGHTS, half=True)
    card = _card(folder, head)
    (folder / CARD).write_text(tomli_w.dumps(card), "utf-8")
    worst = min(_parity(sides[name], folder, name, pictures) for name in _SIDES)
    card["parity"] = {"pictures": len(pictures), "worst_cosine": worst}
    (folder / CARD).write_text(tomli_w.dumps(card), "utf-8")
    return worst


def _card(folder: Path, head: Head) -> dict[str, Any]:
    files: dict[str, Any] = {
        name: {"sha256": digest_file(folder / f"{name}.onnx"), "size": size}
        for name, (_, size, _) in _SIDES.items()
    }
    weights = digest_file(folder / WEIGHTS)
    return {
        "schema": SCHEMA,
        "model": "starter",
        "weights_digest": weights,
        "dim": int(head.classes.shape[1]),
        "sbirctl": __version__,
        "placement": asdict(Placement(FILL, FILL, FILL, 0.0)),
        "files": {**files, "weights": {"sha256": weights}},
        **tomllib.loads(ABOUT.read_text("utf-8")),
    }


@torch.inference_mode()
def _parity(side: Side, folder: Path, name: str, pictures: np.ndarray) -> float:
    _, size, channels = _SIDES[name]
    resized = [np.asarray(Image.fromarray(one).resize((size, size))) for one in pictures]
    pixels = np.repeat(np.stack(resized)[..., None], channels, 3)
    own = side(torch.from_numpy(pixels)).numpy()
    return float((own * OnnxEncoder(folder).embed(pixels, name)).sum(1).min())


def photos(paths: Iterable[Path], size: int = PHOTO_SIZE) -> np.ndarray:
    """Photos squashed to a square, (n, size, size, 3) uint8."""
    return np.stack([_photo(path, size) for path in paths])


def _photo(path: Path, size: int) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


@torch.inference_mode()
def class_scores(model: Any, pictures: np.ndarray, batch: int = 64) -> Tensor:
    """(n, h, w[, 3]) uint8 to (n, 1000) class scores, float32."""
    parts = []
    for start in range(0, len(pictures), batch):
        x = network.pixels(pictures[start : start + batch])
        x = x.contiguous(memory_format=torch.channels_last)
        parts.append(network.upper(model, network.lower(model, x))[1])
    return torch.cat(parts)
