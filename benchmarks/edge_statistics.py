"""Are sketches closer to edge maps than to photos? And how do Gb and Canny agree?

    python benchmarks/edge_statistics.py FOLDER [--classes 125] [--each 2]

FOLDER has the Sketchy database's layout: photo/<variant>/<class>/<stem>.jpg and
sketch/<variant>/<class>/<stem>-<k>.png. Every figure is a mean over pairs of a sketch and the photo
it was drawn from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from sbirctl.edges import edge_maps

INK = 230  # darker than 0.9 of white
KINDS: dict[str, tuple[str, dict]] = {
    "gb": ("gb", {}),
    "gb, thin": ("gb", {"thin": True}),
    "gb, contours": ("gb", {"contours": True}),
    "gb-color, thin": ("gb-color", {"thin": True}),
    "canny": ("canny", {}),
}


def pairs(folder: Path, classes: int, each: int) -> Iterator[tuple[Path, Path]]:
    """Paths of photo and sketch, so many a class."""
    photos = next(p for p in sorted((folder / "photo").iterdir()) if p.is_dir())
    sketches = next(p for p in sorted((folder / "sketch").iterdir()) if p.is_dir())
    for kind in sorted(p for p in photos.iterdir() if p.is_dir())[:classes]:
        taken = 0
        for photo in sorted(kind.iterdir()):
            drawn = sorted((sketches / kind.name).glob(f"{photo.stem}-*"))
            if drawn and taken < each:
                taken += 1
                yield photo, drawn[0]


def statistics_of(image: np.ndarray) -> dict[str, np.ndarray | float]:
    """Grey levels and gradients of a (H, W) uint8 image."""
    values = image.astype(np.float32) / 255
    gradient = np.hypot(cv2.Sobel(values, -1, 1, 0) / 8, cv2.Sobel(values, -1, 0, 1) / 8)
    return {
        "mean": float(values.mean()),
        "ink": float((image < INK).mean()),
        "deviation": float(values.std()),
        "gradient": float(gradient.mean()),
        "flat": float((gradient < 0.01).mean()),
        "levels": np.histogram(values, 32, (0, 1))[0] / values.size,
        "gradients": np.histogram(gradient, 32, (0, 0.75))[0] / values.size,
        "blurred": cv2.GaussianBlur(values, (0, 0), 4),
    }


def distances(one: dict, other: dict) -> dict[str, float]:
    """Distances of two images' statistics; 0 for equal ones."""
    a, b = one["blurred"] - one["blurred"].mean(), other["blurred"] - other["blurred"].mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return {
        "mean": abs(one["mean"] - other["mean"]),
        "ink share": abs(one["ink"] - other["ink"]),
        "levels, total variation": total_variation(one["levels"], other["levels"]),
        "levels, earth mover": earth_mover(one["levels"], other["levels"]),
        "gradients, total variation": float(
            np.abs(one["gradients"] - other["gradients"]).sum() / 2
        ),
        "gradients, earth mover": earth_mover(one["gradients"], other["gradients"]),
        "1 - correlation, blurred": 1 - float((a * b).sum()) / norm if norm else 1.0,
    }


def total_variation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two histograms, 0..1."""
    return float(np.abs(one - other).sum() / 2)


def earth_mover(one: np.ndarray, other: np.ndarray) -> float:
    """Of two histograms, in shares of their axis."""
    return float(np.abs(np.cumsum(one - other)).sum() / len(one))


def agreement(found: np.ndarray, truth: np.ndarray, reach: int = 2) -> tuple[float, float]:
    """Precision and recall of dark pixels, a match being within `reach` pixels."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near_truth, near_found = (cv2.dilate(m.astype(np.uint8), disc) > 0 for m in (truth, found))
    precision = (found & near_truth).sum() / max(1, found.sum())
    recall = (truth & near_found).sum() / max(1, truth.sum())
    return float(precision), float(recall)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classes", type=int, default=125)
    parser.add_argument("--each", type=int, default=2)
    options = parser.parse_args()
    own: dict[str, list[dict]] = {name: [] for name in ("sketch", "photo", *KINDS)}
    apart: dict[str, list[dict]] = {name: [] for name in ("photo", *KINDS)}
    agreed: dict[float, list[tuple[float, float]]] = {}
    for photo_path, sketch_path in pairs(options.folder, options.classes, options.each):
        photo = np.array(Image.open(photo_path).convert("RGB"))
        sketch = np.array(Image.open(sketch_path).convert("L"))
        images = {"photo": cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)}
        tensor = torch.from_numpy(photo).permute(2, 0, 1)[None]
        for name, (method, parameters) in KINDS.items():
            images[name] = edge_maps(tensor, method, **parameters)[0, 0].numpy()
        base = statistics_of(sketch)
        own["sketch"].append(base)
        for name, image in images.items():
            described = statistics_of(image)
            own[name].append(described)
            apart[name].append(distances(base, described))
        for least in (0.0, 0.05, 0.1, 0.2, 0.3):
            strong = images["gb, thin"] < 255 * (1 - least)
            agreed.setdefault(least, []).append(agreement(strong, images["canny"] == 0))
    report(own, apart, agreed, images)


def report(own: dict, apart: dict, agreed: dict, images: dict) -> None:
    """Three tables on stdout."""
    count = len(own["sketch"])
    print(f"{count} pairs of {images['photo'].shape[0]} x {images['photo'].shape[1]} pixels\n")
    print("| image | mean | ink share (< 0.9) | deviation | mean gradient | flat share |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, rows in own.items():
        keys = ("mean", "ink", "deviation", "gradient", "flat")
        values = " | ".join(f"{np.mean([row[key] for row in rows]):.3f}" for key in keys)
        print(f"| {name} | {values} |")
    print("\n| distance from the sketch | " + " | ".join(apart) + " |")
    print("|---|" + "---:|" * len(apart))
    for key in apart["photo"][0]:
        photo = np.array([row[key] for row in apart["photo"]])
        cells = [f"{photo.mean():.3f}"]
        for name in KINDS:
            other = np.array([row[key] for row in apart[name]])
            cells.append(f"{other.mean():.3f} ({(other < photo).mean():.0%})")
        print(f"| {key} | " + " | ".join(cells) + " |")
    print("(in brackets: pairs whose sketch is closer to the edge map than to its photo)")
    print("\n| thin Gb above | precision against Canny | recall of Canny |")
    print("|---:|---:|---:|")
    for least, values in agreed.items():
        precision, recall = np.mean(values, axis=0)
        print(f"| {least} | {precision:.3f} | {recall:.3f} |")


if __name__ == "__main__":
    main()
