"""One training batch, as the loader makes it and a model takes it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class GlobalIndices:
    """One batch over all processes, as a batch plan draws it.

    Attributes:
        photo: (P,) int64 positions in the part's photo side.
        sketch: (S,) int64 positions in the part's sketch side.
        tuples: (T, k) int64 or None: per tuple the rows within this batch's sketches and photos
            that belong together; the plan's docstring says which column is which.
        chunks: number of equal pieces that may be dealt to processes without tearing a tuple or
            a class apart; piece i is photo[i * P // chunks : (i + 1) * P // chunks], sketches
            and tuples likewise.
    """

    photo: np.ndarray
    sketch: np.ndarray
    tuples: np.ndarray | None
    chunks: int


@dataclass(frozen=True)
class Batch:
    """Images of one step, uint8 and not yet normalised; a part a model does not need is None.

    Attributes:
        photo: (P, 3, H, W) uint8.
        sketch: (S, 3, H, W) uint8, dark on white.
        edge: (P, 1, H, W) uint8, row i belongs to photo i.
        photo_label: (P,) int64. sketch_label: (S,) int64.
        photo_instance: (P,) int64, -1 for none. sketch_instance: (S,) int64.
        tuples: (T, k) int64: semi3 (s, p+, p-), drclip (s, p+, p-, s-), rows of this batch.
        ids: ids of the photos, then of the sketches.
    """

    photo: torch.Tensor | None
    sketch: torch.Tensor | None
    edge: torch.Tensor | None
    photo_label: torch.Tensor
    sketch_label: torch.Tensor
    photo_instance: torch.Tensor
    sketch_instance: torch.Tensor
    tuples: torch.Tensor | None
    ids: tuple[str, ...]

    def to(self, device: Any, non_blocking: bool = True) -> Batch:
        """The same batch with every tensor on `device`."""
        moved = {
            f.name: getattr(self, f.name).to(device, non_blocking=non_blocking)
            for f in fields(self)
            if f.name != "ids" and getattr(self, f.name) is not None
        }
        return replace(self, **moved)
