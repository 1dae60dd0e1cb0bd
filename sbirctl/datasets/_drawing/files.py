"""The pictures of a drawn data set as entries of a reader, and as the bytes of files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from sbirctl.datasets._drawing import camera, pen
from sbirctl.datasets._drawing.outline import Piece
from sbirctl.store.manifest import Modality
from sbirctl.store.raw import RawItem


def entry(modality: Modality, class_name: str, number: int, *, paired: bool = True) -> RawItem:
    """A picture by its class and number; with `paired` that of the instance of this number."""
    suffix = "jpg" if modality == "photo" else "png"
    path = f"{modality}/{class_name}/{number:04d}.{suffix}"
    instance = f"{class_name}/{number:04d}" if paired else ""
    return RawItem(path, path.encode(), modality, class_name, instance)


def number_of(item: RawItem) -> int:
    """The number that `entry` was given."""
    return int(item.path.rpartition(b"/")[2].partition(b".")[0])


def encoded(
    pieces: Sequence[Piece], modality: Modality, pixels: int, rng: np.random.Generator
) -> bytes:
    """A picture drawn from its outlines as the bytes of a file: photos JPEG, sketches PNG."""
    stream = io.BytesIO()
    if modality == "photo":
        camera.photo(pieces, pixels, rng).save(stream, "JPEG", quality=92)
    else:
        pen.sketch(pieces, pixels, rng).save(stream, "PNG")
    return stream.getvalue()
