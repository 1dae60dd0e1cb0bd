"""A batch over all processes, as a batch plan draws it, and how it is dealt to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sbirctl.core.distributed import ProcessGroup
from sbirctl.sampling.batch import Batch, Share


@dataclass(frozen=True)
class GlobalIndices:
    """One batch over all processes, as a batch plan draws it.

    Attributes:
        photo: (P,) int64 positions in the subset's photo side.
        sketch: (S,) int64 positions in the subset's sketch side.
        tuples: (T, k) int64 or None: per tuple the rows within this batch's sketches and photos
            that belong together; the plan's docstring says which column is which.
        chunks: number of equal pieces that may be dealt to processes without tearing a tuple or
            a class apart; piece i is photo[i * P // chunks : (i + 1) * P // chunks], sketches
            and tuples likewise. 0: there is nothing to tear, every image is dealt by itself.
    """

    photo: np.ndarray
    sketch: np.ndarray
    tuples: np.ndarray | None
    chunks: int

    def rows_for(self, rank: int, world: int) -> tuple[slice, slice]:
        """The rows of the photos and of the sketches that one process gets.

        They are whole chunks, consecutive, their numbers differing by one at most; put together by
        rank they are the batch. A batch of fewer chunks than processes leaves some with nothing.

        Args:
            rank: number of the process, 0 to world - 1.
            world: number of processes.
        """

        def rows(count: int) -> slice:
            chunks = self.chunks or count
            size = count // max(1, chunks)
            first, last = (chunks * r // world for r in (rank, rank + 1))
            return slice(first * size, last * size)

        return rows(len(self.photo)), rows(len(self.sketch))


def share_of(indices: GlobalIndices, whole: Batch, group: ProcessGroup) -> Share:
    """One process's share of a batch.

    A process that nothing is left for holds the batch's first piece and adds no row of it: its
    network still gives gradients, of zero.

    Args:
        indices: of the whole batch.
        whole: the same without pixels.
    """
    dealt = [indices.rows_for(rank, group.world) for rank in range(group.world)]
    photo, sketch = dealt[group.rank]
    if photo.start == photo.stop and sketch.start == sketch.stop:
        photo, sketch = (
            slice(0, min(len(of), len(of) // indices.chunks if indices.chunks else 1))
            for of in (indices.photo, indices.sketch)
        )
    return Share(
        whole,
        group.rank,
        photo,
        sketch,
        tuple(p.stop - p.start for p, _ in dealt),
        tuple(s.stop - s.start for _, s in dealt),
    )
