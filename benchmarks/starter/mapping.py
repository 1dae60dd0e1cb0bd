"""Which of ImageNet-1k's classes a drawing's category has, and what a teacher says of drawings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.starter.drawings import Strokes
from benchmarks.starter.network import doodlenet

FILE = Path(__file__).with_name("categories.json")
CLASSES = 1000


def read(path: Path = FILE) -> dict[str, list[int]]:
    """ImageNet-1k class indices (timm's order) of every category that has some."""
    data = json.loads(path.read_text())
    return {**data["below"], **data["near"]}


@dataclass(frozen=True)
class Targets:
    """What the drawing side is to say.

    Attributes:
        categories: K trained ones.
        member: (K, 1000) float32, 1 where a class belongs to a category.
        smooth: (K, 1000) float32, rows of mapped categories sum to one: the category's classes and,
            with less weight, those whose classifier weights lie near them.
    """

    categories: tuple[str, ...]
    member: Tensor
    smooth: Tensor


def targets(categories: Sequence[str], classifier: Tensor) -> Targets:
    """Targets of some categories.

    Args:
        categories: K names.
        classifier: (1000, d) weights of the photo network's last layer.
    """
    classes = read()
    member = torch.zeros(len(categories), CLASSES)
    for row, category in enumerate(categories):
        member[row, classes.get(category, [])] = 1
    centred = F.normalize(classifier - classifier.mean(0), dim=1)
    neighbours = torch.softmax(centred @ centred.T / 0.1, 1)
    own = member / member.sum(1, keepdim=True).clamp(min=1)
    return Targets(tuple(categories), member, own @ neighbours)


def taught(
    weights: Path, drawings: Iterable[Strokes], categories: Sequence[str], *, size: int = 200
) -> Tensor:
    """The teacher's probabilities, its other outputs left out, (n, K) float32.

    Args:
        weights: doodlenet345.safetensors, class_names.txt beside it.
        drawings: n of them, unchanged.
        categories: K names.
    """
    classify = doodlenet(weights)
    lines = weights.with_name("class_names.txt").read_text().split("\n")
    names = [line.strip().replace("_", " ") for line in lines]
    columns = torch.tensor([names.index(category) for category in categories])
    pictures = torch.from_numpy(np.stack([as_bitmap(strokes) for strokes in drawings]))
    with torch.inference_mode():
        parts = [classify(part[:, None].float() / 255) for part in pictures.split(size)]
    return torch.softmax(torch.cat(parts)[:, columns], 1)


def as_bitmap(strokes: Strokes) -> np.ndarray:
    """A drawing as Google's bitmaps have it, white on black, (28, 28) uint8."""
    points = np.concatenate(strokes)
    low, high = points.min(0), points.max(0)
    scale = 256 / max(float((high - low).max()), 1e-9)
    lines = [(stroke - (low + high) / 2) * scale + 144 for stroke in strokes]
    fixed = [np.round(line * 16).astype(np.int32).reshape(-1, 1, 2) for line in lines]
    sheet = np.zeros((288, 288), np.uint8)
    cv2.polylines(sheet, fixed, False, 255, 16, cv2.LINE_AA, 4)
    return cv2.resize(sheet, (28, 28), interpolation=cv2.INTER_AREA)
