"""Small image files for the tests of the store."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from sbirctl.store.raw import Drawn, RawDataset, RawItem


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(seed: int, size: tuple[int, int] = (20, 16), mode: str = "RGB") -> Image.Image:
    shape = (size[1], size[0]) + ((3,) if mode == "RGB" else ())
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def draw(item: RawItem) -> bytes:
    """Bytes that depend on the item's path: a number, "empty", "missing", "blank…", "partly…"."""
    if item.path == b"empty":
        return b""
    if item.path == b"missing":
        raise FileNotFoundError(2, "No such file or directory")
    if item.path.startswith(b"blank"):
        return encoded(Image.new("L", (9, 9), 255))
    if item.path.startswith(b"partly"):
        return Drawn.of(encoded(noise(1)), "1 text")
    return encoded(noise(int(item.path)))


def item(modality: str, class_name: str, path: bytes, **more: str) -> RawItem:
    name = f"{modality}/{class_name}/{path.decode()}"
    return RawItem(more.pop("id", name), path, modality, class_name, **more)


def source(count: int = 10, extra: tuple[RawItem, ...] = (), **more: object) -> RawDataset:
    """`count` photos and as many sketches in three classes, all different."""
    items = tuple(
        item(modality, f"c{number % 3}", b"%d" % (number + place * 1000))
        for place, modality in enumerate(("photo", "sketch"))
        for number in range(count)
    )
    return RawDataset("drawn", items + extra, draw, "v1", **more)


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything in a store's folder but the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
