"""From the rows a batch plan drew to uint8 tensors on the device, read ahead by threads.

Threads, not processes: reading stored pixels releases the interpreter's lock, and a batch needs no
copy between processes. Nothing random happens here, so the number of workers cannot change a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.core.read_ahead import read_ahead
from sbirctl.sampling.batch import Batch
from sbirctl.sampling.global_batch import GlobalIndices, share_of
from sbirctl.sampling.subsets import ImageSubset, Subset
from sbirctl.store.arrays import StoredArray


class BatchLoader:
    """Makes the batches of a subset.

    Args:
        subset: where labels and pixels come from.
        device: where the batches go; pinned memory and asynchronous copies on CUDA.
        workers: reading threads, 0 for none.
        edges: also read the photos' edge maps.
        group: the processes the batches are dealt to.
    """

    def __init__(
        self,
        subset: Subset,
        device: torch.device,
        workers: int,
        *,
        edges: bool = False,
        group: ProcessGroup = SINGLE,
    ) -> None:
        self.subset = subset
        self.device = device
        self.workers = workers
        self.group = group
        photo, sketch = subset.photo, subset.sketch
        self._photo = photo.store.images("photo"), photo.row
        self._sketch = sketch.store.images("sketch"), sketch.row
        self._edge = (photo.store.edge_maps(), photo.row) if edges else None
        for array, _ in filter(None, (self._photo, self._sketch, self._edge)):
            array.open()  # a damaged file is so found before the first step

    def batches(self, indices: Iterable[GlobalIndices]) -> Iterator[Batch]:
        """The batches of `indices`, or this process's shares, in order; see also `to_rgb`."""
        for batch in read_ahead(indices, self._read, self.workers):
            yield batch.to(self.device)

    def _read(self, indices: GlobalIndices) -> Batch:
        batch = self._without_pixels(indices)
        if self.group.world > 1:
            share = share_of(indices, batch, self.group)
            indices = GlobalIndices(
                indices.photo[share.photo], indices.sketch[share.sketch], None, 0
            )
            batch = replace(self._without_pixels(indices), share=share)
        batch = replace(
            batch,
            photo=_pixels(self._photo, indices.photo),
            sketch=_pixels(self._sketch, indices.sketch),
            edge=None if self._edge is None else _pixels(self._edge, indices.photo),
        )
        return _pin(batch) if self.device.type == "cuda" else batch

    def _without_pixels(self, indices: GlobalIndices) -> Batch:
        photo, sketch = self.subset.photo, self.subset.sketch
        return Batch(
            photo=None,
            sketch=None,
            edge=None,
            photo_label=_long(photo.label[indices.photo]),
            sketch_label=_long(sketch.label[indices.sketch]),
            photo_instance=_long(photo.instance[indices.photo]),
            sketch_instance=_long(sketch.instance[indices.sketch]),
            tuples=None if indices.tuples is None else _long(indices.tuples),
            ids=_ids(photo, indices.photo) + _ids(sketch, indices.sketch),
        )


def to_rgb(batch: Batch) -> Batch:
    """The batch as models take it: sketches with three equal channels (no copy)."""
    if batch.sketch is None or batch.sketch.shape[1] == 3:
        return batch
    return replace(batch, sketch=batch.sketch.expand(-1, 3, -1, -1))


def to_tensor(images: np.ndarray) -> Tensor:
    """(n, H, W, C) pixels as a (n, C, H, W) tensor over the same memory (channels last)."""
    if not images.flags.writeable:  # a view into a memory map; torch wants its own
        images = images.copy()
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def _pixels(stored: tuple[StoredArray, np.ndarray], positions: np.ndarray) -> Tensor:
    """Pixels of the images at some positions of a subset's side."""
    array, rows = stored
    return to_tensor(array.read(rows[positions]))


def _long(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.int64).copy())


def _ids(side: ImageSubset, positions: np.ndarray) -> tuple[str, ...]:
    return tuple(side.store.items.id[i] for i in side.item[positions])


def _pin(batch: Batch) -> Batch:
    pinned: dict[str, Any] = {
        f.name: value.pin_memory()
        for f in fields(batch)
        if isinstance(value := getattr(batch, f.name), Tensor)
    }
    return replace(batch, **pinned)
