"""Small pictures for sheets, from the store that embeddings name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sbirctl.core.errors import MismatchError, MissingError, SbirctlError
from sbirctl.core.files import display_path
from sbirctl.core.home import datasets_dir
from sbirctl.core.read_ahead import read_ahead
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.store.manifest import Modality
from sbirctl.store.reader import MANIFEST, Store

Thumbnails = dict[int, Image.Image]
_BLOCK = 256
_THIN = 1.5  # sketches reduced more than this lose their thin strokes


def store_of(e: Embeddings, place: Path, chosen: str = "") -> Store:
    """The store whose pictures were embedded.

    Args:
        place: the embeddings file; a store in the home folder it lies in is found too.
        chosen: name or folder of the store, "" for the one that the file names.

    Raises:
        MissingError: it is not prepared here, or the file names none.
        MismatchError: the chosen store, or the one of that name, holds other pictures.
    """
    if not chosen and not e.store:
        raise MissingError(
            f"{display_path(place)} does not say which data set its pictures are from.",
            "Name the prepared one: --dataset NAME.",
        )
    if chosen:
        store = Store.open(chosen)
        if e.store and store.digest != e.store:
            raise MismatchError(
                f"{display_path(place)} was made from store {e.store[:12]}, "
                f"{display_path(chosen)} is {store.digest[:12]}.",
                "Name the store it was made from, or embed again.",
            )
        return store
    name = e.provenance.store or e.provenance.dataset or ""
    for folder in _folders(place, name):
        try:
            store = Store.open(folder)
        except SbirctlError:
            continue
        if store.digest == e.store:
            return store
    shown = f"{name!r} ({e.store[:12]})" if name else e.store[:12]
    raise MissingError(
        f"The data set {shown} of {display_path(place)} is not prepared here.",
        "Prepare it as before, or name its folder: --dataset FOLDER.",
    )


def _folders(place: Path, name: str) -> list[Path]:
    """Stores in this home and in that of a run's file, those of that name first."""
    homes = [datasets_dir(), *(parent / "datasets" for parent in place.absolute().parents[:3])]
    found = [path.parent for home in homes for path in sorted(home.glob(f"*/{MANIFEST}"))]
    return sorted(dict.fromkeys(found), key=lambda folder: folder.name != name)


class Album:
    """Thumbnails of one store; each is read and made once, however many runs show it.

    Args:
        side: of the thumbnails in pixels; they are never larger than the store's pictures.
    """

    def __init__(self, store: Store, side: int) -> None:
        self._store = store
        self._side = min(side, store.size)
        self._made: dict[Modality, Thumbnails] = {"photo": {}, "sketch": {}}

    def take(
        self,
        modality: Modality,
        rows: Sequence[int],
        paths: np.ndarray | None,
        digests: np.ndarray | None,
    ) -> Thumbnails:
        """{row: picture} of some rows of embeddings, found by path, else by digest.

        Raises:
            MismatchError: a picture is not in the store, or nothing names them.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        pixels = pixel_rows(
            self._store,
            modality,
            None if paths is None else paths[wanted],
            None if digests is None else digests[wanted],
        )
        self._read(modality, pixels)
        made = self._made[modality]
        return {int(row): made[int(pixel)] for row, pixel in zip(wanted, pixels, strict=True)}

    def pixels(self, modality: Modality, rows: Sequence[int]) -> list[Image.Image]:
        """Pictures of some pixel rows of the store."""
        self._read(modality, np.asarray(rows, dtype=np.int64))
        return [self._made[modality][row] for row in rows]

    def _read(self, modality: Modality, rows: np.ndarray) -> None:
        made = self._made[modality]
        wanted = np.array(sorted(set(rows.tolist()) - made.keys()), dtype=np.int64)
        for start in range(0, len(wanted), _BLOCK):
            block = wanted[start : start + _BLOCK]
            pixels = self._store.read(modality, block)
            # Pillow lets other threads work while it resizes
            images = read_ahead(pixels, lambda one: thumbnail(one, self._side), os.cpu_count() or 1)
            made |= zip(map(int, block), images, strict=True)


def pixel_rows(
    store: Store, modality: Modality, paths: np.ndarray | None, digests: np.ndarray | None
) -> np.ndarray:
    """(n,) int64: the rows of the store that hold some pictures, by path, else by digest.

    Raises:
        MismatchError: a picture is not in the store, or nothing names them.
    """
    if paths is None and digests is None:
        raise MismatchError(
            "The embeddings name no files, so their pictures cannot be found.",
            "Embed with `sbirctl embed`, or add query_path and gallery_path (docs/formats.md).",
        )
    items = store.items
    entries = items.where(modality)
    if paths is not None:
        known = {items.path[i]: int(items.row[i]) for i in entries}
        wanted = [bytes(path) for path in paths]
    else:
        assert digests is not None
        known = {items.digest[i].encode(): int(items.row[i]) for i in entries}
        wanted = [bytes(digest) for digest in digests]
    for name in wanted:
        if name not in known:
            raise MismatchError(
                f"The store {store.name!r} has no {modality} {display_path(name)!r}.",
                "Name the store the embeddings were made from: --dataset NAME.",
            )
    return np.array([known[name] for name in wanted], dtype=np.int64)


def thumbnail(pixels: np.ndarray, side: int) -> Image.Image:
    """One picture; grey ones (sketches) keep their strokes visible.

    Args:
        pixels: (h, w, C) uint8, C = 1 or 3.
    """
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    grey = image.mode == "L"
    reduced = max(image.size) / side
    # twice as quick as Lanczos, and looks the same where pictures are only made smaller
    image = image.resize((side, side), Image.Resampling.HAMMING)
    # Averaging turns a thin black stroke on white into pale grey: stretch it to black again.
    return ImageOps.autocontrast(image, cutoff=(1, 0)) if grey and reduced > _THIN else image
