"""Small trees of image files in the layouts of the data sets."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def write(root: Path, names: list[str] | dict[str, bytes]) -> Path:
    """Files below `root`; without contents given, each is another picture."""
    given = names if isinstance(names, dict) else {n: picture(i) for i, n in enumerate(names)}
    for name, data in given.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def packed(folder: Path, target: Path) -> Path:
    """`folder` as an archive, of the kind `target`'s ending says."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path in files:
                archive.write(path, path.relative_to(folder.parent))
    elif target.suffix == ".7z":
        import py7zr

        with py7zr.SevenZipFile(target, "w", filters=[{"id": py7zr.FILTER_COPY}]) as seven:
            for path in files:
                seven.write(path, os.fspath(path.relative_to(folder.parent)))
    else:
        mode = {".gz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}.get(target.suffix, "w")
        with tarfile.open(target, mode) as tar:  # type: ignore[call-overload]
            tar.add(folder, folder.name)
    return target


OFFICIAL = [
    *(f"256x256/photo/tx_000000000000/{c}/n{i}_{i}.jpg" for c in ("ant", "camel") for i in (1, 2)),
    *(
        f"256x256/sketch/tx_000000000000/{c}/n{i}_{i}-{k}.png"
        for c in ("ant", "camel")
        for i in (1, 2)
        for k in (1, 2, 10)
    ),
    "256x256/photo/tx_000000000000/camel/n02437136_5405.jpg",
]
EXTENDED = [
    *(f"EXTEND_image_sketchy/{c}/ext_{i}.jpg" for c in ("ant", "camel") for i in (1, 2, 3)),
    *(f"EXTEND_image_sketchy/{c}/n{i}_{i}.jpg" for c in ("ant", "camel") for i in (1, 2)),
    "EXTEND_image_sketchy/camel/c.jpg",
]
