"""What the papers' code trains from: image files, torchvision's ImageFolder, Pillow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from torch import Tensor

from sbirctl.sampling.subsets import Subset

SIDE = 256


@contextmanager
def image_files(part: Subset) -> Iterator[Path]:
    """A part's images as files of 256 x 256 pixels, `<photo or sketch>/<class>/<number>`."""
    with tempfile.TemporaryDirectory() as folder:
        for side in (part.photo, part.sketch):
            pixels = side.store.read(side.modality, side.row)
            ending = "jpg" if side.modality == "photo" else "png"
            for number, (label, image) in enumerate(zip(side.label, pixels, strict=True)):
                target = Path(folder) / side.modality / f"{label:04d}" / f"{number}.{ending}"
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image.squeeze()).resize((SIDE, SIDE)).save(target)
        yield Path(folder)


def folder_batches(
    folder: Path, size: int, batch: int, workers: int = 2
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Photos, their labels, sketches, theirs: normalised float32 batches of half the size each."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    steps = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.5,) * 3),
        ]
    )
    loaders = [
        DataLoader(
            ImageFolder(str(folder / side), steps),
            batch // 2,
            shuffle=True,
            num_workers=workers,
            drop_last=True,
        )
        for side in ("photo", "sketch")
    ]
    for (photo, photo_label), (sketch, sketch_label) in zip(*loaders, strict=False):
        yield photo, photo_label, sketch, sketch_label
