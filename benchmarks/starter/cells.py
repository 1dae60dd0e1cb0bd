"""Which of Sketchy's classes had drawings in training, and which have photos in ImageNet-1k."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

# Sketchy's classes that Quick, Draw! calls otherwise, or has only as something wider
_DRAWN_AS = {
    "car (sedan)": "car",
    "crocodilian": "crocodile",
    "hot-air balloon": "hot air balloon",
    "hotdog": "hot dog",
    "motorcycle": "motorbike",
    "racket": "tennis racquet",
    "teddy bear": "teddy-bear",
    "seagull": "bird",
    "songbird": "bird",
    "wading bird": "bird",
}


def drawn(classes: Iterable[str], categories: Iterable[str]) -> set[str]:
    """Those classes that are one of the trained categories, or among one."""
    trained = set(categories)
    named = {name: name.replace("_", " ") for name in classes}
    return {name for name, plain in named.items() if _DRAWN_AS.get(plain, plain) in trained}


def photographed(photos: Iterable[tuple[Path, str]]) -> dict[str, float]:
    """Of each class the share of photos whose synset, in the file's name, is in ImageNet-1k."""
    from timm.data import ImageNetInfo

    synsets = set(ImageNetInfo().label_names())
    found: dict[str, list[bool]] = {}
    for path, name in photos:
        found.setdefault(name, []).append(path.name.partition("_")[0] in synsets)
    return {name: float(np.mean(inside)) for name, inside in found.items()}


def cells(
    by_class: Mapping[str, tuple[float, float]], trained: set[str], known: Mapping[str, float]
) -> dict[tuple[bool, bool], tuple[int, float, float]]:
    """Classes and mean figures by (drawings trained, some photos in ImageNet-1k)."""
    out = {}
    for a in (True, False):
        for b in (True, False):
            rows = [v for k, v in by_class.items() if (k in trained) == a and (known[k] > 0) == b]
            means = np.mean(rows, 0) if rows else (np.nan, np.nan)
            out[a, b] = (len(rows), float(means[0]), float(means[1]))
    return out
