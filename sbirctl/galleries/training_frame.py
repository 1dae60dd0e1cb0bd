"""Where a run's training sketches lie on their sheets, as its data set says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sbirctl.core.errors import SbirctlError
from sbirctl.galleries.framing import Frame, measure
from sbirctl.store.reader import Store

if TYPE_CHECKING:
    from sbirctl.training.checkpoint import Checkpoint

_MEASURED = 256  # sketches that are looked at


def frame_of(checkpoint: Checkpoint, path: Path) -> Frame:
    """Where the training sketches lie, if the data set is still here; else the usual frame."""
    store = _store_of(checkpoint, path)
    if store is None:
        return Frame()
    items = store.items
    known = {items.classes.index(c) for c in checkpoint.classes or () if c in items.classes}
    rows = np.unique([items.row[i] for i in items.where("sketch") if items.label[i] in known])
    if not len(rows):
        return Frame()
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, _MEASURED).astype(np.int64))]
    return measure(store.read("sketch", chosen.astype(np.int64))[..., 0])


def _store_of(checkpoint: Checkpoint, path: Path) -> Store | None:
    """The data set it was trained on, in this home or in the run's."""
    if checkpoint.data is None:
        return None
    name = checkpoint.data.dataset
    places: list[str | Path] = [name]
    places += [home / "datasets" / name for home in path.absolute().parents[2:3]]
    for place in places:
        try:
            store = Store.open(place)
        except SbirctlError:
            continue
        if store.digest == checkpoint.provenance.store_digest:
            return store
    return None
