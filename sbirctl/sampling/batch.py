"""One training batch, as the loader makes it and a model takes it, and what the model gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal

from sbirctl.core.errors import MismatchError

if TYPE_CHECKING:
    import torch

Side = Literal["photo", "sketch", "edge"]


_KEPT = ("ids", "share", "photo_instance", "sketch_instance")


@dataclass(frozen=True)
class Batch:
    """Images of one step, uint8 and not yet normalised; a subset a model does not need is None.

    Attributes:
        photo: (P, 3, H, W) uint8.
        sketch: (S, 3, H, W) uint8, dark on white.
        edge: (P, 1, H, W) uint8, row i belongs to photo i.
        photo_label: (P,) int64. sketch_label: (S,) int64.
        photo_instance: (P,) int64, -1 for none. sketch_instance: (S,) int64.
        tuples: (T, k) int64: semi3 (s, p+, p-), drclip (s, p+, p-, s-) or (s, p+, p-),
            clipat and splip (s, p+, p-), rows of this batch; None in a share, the whole has them.
        ids: ids of the photos, then of the sketches.
        share: where this belongs in the batch over all processes, None where it is all of it.
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
    share: Share | None = None

    def images(self, side: Side) -> torch.Tensor:
        """The images of a side, for a model that cannot do without.

        Raises:
            MismatchError: the batch has none.
        """
        return _there(getattr(self, side), f"{side} images")

    def tuple_rows(self) -> torch.Tensor:
        """`tuples`, for a model whose plan draws them.

        Raises:
            MismatchError: the batch has none.
        """
        return _there(self.tuples, "tuples")

    @property
    def whole(self) -> Batch:
        """The batch over all processes (without pixels where this is only a share of it)."""
        return self if self.share is None else self.share.whole

    @property
    def rows(self) -> tuple[slice, slice]:
        """Which of the whole batch's photos and of its sketches these are."""
        if self.share is None:
            return slice(0, len(self.photo_label)), slice(0, len(self.sketch_label))
        return self.share.photo, self.share.sketch

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on `device`; the instances, which no network sees, stay where they are.

        Augmentation reads them, and would else wait for the device in every step.
        """
        moved = {
            f.name: getattr(self, f.name).to(device, non_blocking=True)
            for f in fields(self)
            if f.name not in _KEPT and getattr(self, f.name) is not None
        }
        share = self.share and replace(self.share, whole=self.share.whole.to(device))
        return replace(self, **moved, share=share)


@dataclass(frozen=True)
class Share:
    """What one process holds of a batch, and where it belongs.

    Attributes:
        whole: the batch over all processes: labels, instances, tuples and ids, no pixels.
        rank: of this process.
        photo, sketch: the rows of the whole this process holds.
        photos, sketches: how many of its first rows each process adds to the whole, by rank; 0
            where there is nothing left for it, so that it only goes through the motions.
    """

    whole: Batch
    rank: int
    photo: slice
    sketch: slice
    photos: tuple[int, ...]
    sketches: tuple[int, ...]


@dataclass(frozen=True)
class Encoded:
    """What one joint pass of a model gives; rows follow the batch. Absent modalities are None.

    Attributes:
        photo, sketch: (n, dim) L2-normalised embeddings.
        edge: the same for edge maps.
        extra: further tensors a model's losses need (logits, reference features), first axis n.
    """

    photo: torch.Tensor | None = None
    sketch: torch.Tensor | None = None
    edge: torch.Tensor | None = None
    extra: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def embeddings(self, side: Side) -> torch.Tensor:
        """(n, dim) embeddings of a side that `encode` gave.

        Raises:
            MismatchError: it gave none.
        """
        return _there(getattr(self, side), f"{side} embeddings")


def _there(value: torch.Tensor | None, what: str) -> torch.Tensor:
    if value is None:
        raise MismatchError(
            f"The batch has no {what}.", "The model's recipe draws other batches than it reads."
        )
    return value
