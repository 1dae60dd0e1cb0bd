"""Folders of small pictures, and a cheap model that looks at their brightness in 4 x 4 cells."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from sbirctl.galleries.gallery import LEFT_OUT, Gallery
from sbirctl.galleries.indexing import index
from sbirctl.galleries.model_record import ModelRecord
from sbirctl.store.images import to_pixels

SIZE = 8
DIM = 16


class Cells:
    """Instead of an `Embedder`."""

    has_text = False
    presence = None
    dim = DIM

    def __init__(self, key="0" * 16):
        self.record = ModelRecord("cells", "", {}, "none", 0, "d" * 64, SIZE, key)
        self.seen = 0

    def pixels(self, image, modality):
        return to_pixels(image, modality, SIZE)

    def embed(self, pixels, modality):
        self.seen += len(pixels)
        grey = pixels.mean(3)
        cells = grey.reshape(len(grey), 4, SIZE // 4, 4, SIZE // 4).mean((2, 4)).reshape(-1, DIM)
        return unit(cells - 100).astype(np.float32)


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def picture(seed, side=12):
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC)


def encoded(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def photo(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture(seed)))
    return path


def make(place, folders, model=None, engine="exact", **more):
    """Index folders; goes on from the gallery that is there."""
    paths = [bytes(folder.absolute()) for folder in folders]
    return index(place, paths, model or Cells(), engine, workers=1, **more)


def held(place):
    """{id: vector} of what is searched."""
    gallery = Gallery.open(place)
    ids = gallery.photo_ids()
    return {
        name.decode(): np.array(vector)
        for name, vector in zip(ids.tolist(), gallery.vectors, strict=True)
        if name
    }


def content(place):
    """All that a gallery says, and what lies in its folder; of two equal ones it is equal."""
    gallery = Gallery.open(place)
    vectors = {name: vector.tobytes() for name, vector in held(place).items()}
    names = {path.name for path in place.iterdir()} - {".lock"}
    kept = gallery.record, gallery.dim, gallery.folders, gallery.engine, gallery.state
    listed = (place / LEFT_OUT).read_text()
    return kept, gallery.records(), gallery.info.photos, vectors, names, listed


def files_of(place):
    """Every file in a gallery's folder, byte by byte."""
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def left_out(place):
    """{file name: reason} as listed."""
    lines = (place / LEFT_OUT).read_text().splitlines()
    return {line.rpartition("/")[2]: line.partition("\t")[0] for line in lines}
