"""HEIC and HEIF pictures, as telephones make them, by pillow-heif where it is installed.

It is an extra, never a requirement: its own code is BSD, but its wheels bring x265 and are under
GPLv2. Older ones bring a libheif with known holes and are taken for missing. Damaged files have
crashed every version, so pictures are decoded only in processes that can be stopped.
"""

from __future__ import annotations

import io
import re
from functools import cache
from importlib import metadata

from PIL import Image

# libheif 1.23.0, which the discontinued pi-heif ends with, has known holes.
_LEAST_PACKAGE, _LEAST_LIBRARY = (1, 8, 1), (1, 23, 6)
_BRANDS = frozenset(b"heic heix heim heis hevc hevx mif1 msf1".split())


def is_heic(head: bytes) -> bool:
    """Whether a file with these first bytes is a HEIC or HEIF picture."""
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


@cache
def can_be_read() -> bool:
    """Whether a pillow-heif without known holes is installed; its libraries are not loaded."""
    try:
        return _version(metadata.version("pillow-heif")) >= _LEAST_PACKAGE
    except metadata.PackageNotFoundError:
        return False


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """The first picture of a file, upright.

    Args:
        data: the bytes of the file.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        ValueError: it is larger, or the library has known holes.
        Exception: whatever the library raises.
    """
    import pillow_heif

    found = pillow_heif.libheif_version()
    if _version(found) < _LEAST_LIBRARY:
        raise ValueError(f"libheif {found} has known holes")
    opened = pillow_heif.open_heif(io.BytesIO(data))
    width, height = opened.size
    if width * height > max_pixels:
        raise ValueError(f"{width} × {height} pixels are more than the limit of {max_pixels:,}")
    picture: Image.Image = opened.to_pillow()
    return picture


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
