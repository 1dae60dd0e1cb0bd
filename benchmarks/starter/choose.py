"""What the choice is made by: caltech101-photos and drawings of Quick, Draw!, two figures.

Every second of the photos' drawn categories is removed from training, mapping and the teacher, all
its drawings are queries; of the others the first 17 drawings are trained on and the rest are
queries. The five categories among Sketchy's 21 ImageNet-disjoint classes are left out. So are, in
training, all drawn categories of these 21 classes: the network chosen by is a strict one.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.starter import drawings, files, network
from benchmarks.starter.measure import figures
from benchmarks.starter.vectors import Head, Shape, head

NOT_CHOSEN_BY = ("dolphin", "helicopter", "rhino", "scissors", "wheelchair")
TRAINED = 17  # drawings of a category whose others are queries

# Quick, Draw! categories that are, or are among, Sketchy's 21 ImageNet-disjoint classes, with kin
OF_THE_21 = (
    *("barn", "bat", "bird", "cow", "dolphin", "door", "giraffe", "helicopter", "house", "mouse"),
    *("palm tree", "pear", "raccoon", "rhinoceros", "saw", "scissors", "skyscraper", "sword"),
    *("tree", "windmill"),
)


@dataclass(frozen=True)
class Split:
    """Photos with their categories ("" where no drawing is asked for), and who is left out.

    Attributes:
        removed: categories whose drawings are not trained on, all of them queries.
        held_out: categories of which the first `TRAINED` drawings are trained on.
    """

    photos: list[tuple[Path, str]]
    removed: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def without(self) -> tuple[str, ...]:
        """All categories that training leaves out."""
        return tuple(sorted({*self.removed, *OF_THE_21}))


def split(folder: Path) -> Split:
    """The split of caltech101-photos: `classes.csv` and two levels of folders."""
    with (folder / "classes.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["caltech101"] not in NOT_CHOSEN_BY]
    photos = [
        (path, row["quickdraw_class"])
        for row in rows
        for path in sorted((folder / row["group"] / row["caltech101"]).iterdir())
    ]
    drawn = sorted({category for _, category in photos} - {""})
    removed = {*drawn[::2], *(name for name in drawn if name in OF_THE_21)}
    kept = [name for name in drawn if name not in removed]
    return Split(photos, tuple(sorted(removed)), tuple(kept))


def queries(folder: Path, names: Sequence[str], start: int) -> tuple[np.ndarray, list[str]]:
    """Drawings of some categories, unchanged, from the start-th on, and their categories."""
    found = [(s, name) for name in names for s in drawings.read(folder, name)[start:]]
    return np.stack([drawings.rasterise(s) for s, _ in found]), [name for _, name in found]


def between(photo: Any, drawing: Any, share: float) -> Any:
    """The network whose weights lie between the photo side's (0) and the drawing side's (1)."""
    own, base = drawing.state_dict(), photo.state_dict()
    mixed = {
        name: torch.lerp(base[name], value, share) if value.is_floating_point() else value
        for name, value in own.items()
    }
    return network.lite0(mixed)


def drawing_mean(model: Any, folder: Path, without: Sequence[str] = ()) -> Tensor:
    """Mean class scores of two drawings of each category, (1000,)."""
    names = [name for name in drawings.categories(folder) if name not in set(without)]
    some = [s for name in names for s in drawings.read(folder, name)[:2]]
    pictures = np.stack([drawings.rasterise(s) for s in some])
    return files.class_scores(model, pictures).mean(0)


def score(
    constants: Head, photos: Tensor, labels: Sequence[str], drawn: Tensor, wanted: Sequence[str]
) -> tuple[float, float]:
    """prec@10 and mAP@all of drawings among photos, both given by their class scores."""
    similarity = constants.vectors(drawn, "drawing") @ constants.vectors(photos, "photo").T
    relevant = np.array(wanted)[:, None] == np.array(labels)[None]
    return figures(similarity.numpy(), relevant)


def table(
    photo: Any, drawing: Any, folder: Path, parts: Split, shapes: Sequence[Shape], size: int
) -> None:
    """Print the two figures and their mean for shares of the fine-tuned weights and shapes."""
    print(f"photos at {size} px: prec@10 / mAP@all held out, removed, mean prec@10")
    seen = np.concatenate(
        [
            files.class_scores(photo, files.photos([p for p, _ in parts.photos[i : i + 64]], size))
            for i in range(0, len(parts.photos), 64)
        ]
    )
    photos, labels = torch.from_numpy(seen), [label for _, label in parts.photos]
    held, held_names = queries(folder, parts.held_out, TRAINED)
    removed, removed_names = queries(folder, parts.removed, 0)
    for share in (0.0, 0.6, 0.8, 1.0):
        model = between(photo, drawing, share)
        mean = drawing_mean(model, folder, parts.without)
        known, new = files.class_scores(model, held), files.class_scores(model, removed)
        for shape in shapes:
            constants = head(photo, mean, shape)
            a = score(constants, photos, labels, known, held_names)
            b = score(constants, photos, labels, new, removed_names)
            both = (a[0] + b[0]) / 2
            print(
                f"weights {share} {shape}: {a[0]:.3f} / {a[1]:.3f}, {b[0]:.3f} / {b[1]:.3f}, "
                f"{both:.3f}",
                flush=True,
            )
