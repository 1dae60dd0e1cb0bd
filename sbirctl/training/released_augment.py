"""The augmentation of FFMLN's authors (haizhu12/ammln @ f284a64), the same for both modalities.

Colour jitter (0.4, 0.4, 0.4, 0.1) with probability 0.8, mirroring with 0.5, and with 0.5 a turn of
up to 30 degrees, a shift of up to a tenth and a scale of 0.7 to 1.3, filled with black, on white
sketches too. It is here to run what they ran.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sbirctl.core.errors import UsageError
from sbirctl.core.seeds import seed_for
from sbirctl.sampling.batch import Batch

if TYPE_CHECKING:
    from torchvision.transforms import v2


def released_augment(batch: Batch, seed: int) -> Batch:
    """A randomly changed copy of a batch, uint8 as before.

    Args:
        batch: without edge maps, which would not move with their photos.
        seed: of the global batch.

    Raises:
        UsageError: the batch has edge maps.
    """
    if batch.edge is not None:
        raise UsageError(
            "augment=released moves photos without their edge maps.",
            "Take none, flip, standard or strong.",
        )
    change = _transform()
    photos, sketches = batch.rows

    def changed(images: Tensor | None, side: str, first: int) -> Tensor | None:
        if images is None or not len(images):
            return images
        made = []
        for row, image in enumerate(images, first):  # an image's draws are its own
            torch.manual_seed(seed_for(seed, side, row))
            made.append(change(image))
        return torch.stack(made)

    with torch.random.fork_rng(devices=[]):
        return replace(
            batch,
            photo=changed(batch.photo, "photo", photos.start),
            sketch=changed(batch.sketch, "sketch", sketches.start),
        )


@cache
def _transform() -> v2.Compose:
    from torchvision.transforms import v2

    affine = v2.RandomAffine(30, translate=(0.1, 0.1), scale=(0.7, 1.3), fill=0)
    return v2.Compose(
        [
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomApply([affine], p=0.5),
        ]
    )
