"""A photo of the gallery: the very file that was indexed, or nothing."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from sbirctl.core.bounded import BoundedProcesses
from sbirctl.core.files import human_bytes
from sbirctl.galleries.server.http_errors import HttpError
from sbirctl.store.bounded import BOUNDS
from sbirctl.store.images import decode_photo

# What browsers show; anything else is sent as JPEG. Told by the bytes, never by the name.
_SHOWN = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}
_BLOCK = 1 << 18
_BINARY = getattr(os, "O_BINARY", 0)
_GREATEST = 4096  # side in pixels of a photo that browsers do not show as it is


def open_photo(path: Path, digest: str, most: int) -> BinaryIO:
    """Open a photo for reading, after its bytes were found to be those that were indexed.

    So a path that has since become a link, a pipe or another file gives nothing away.

    Args:
        path: where the index saw it.
        digest: SHA-256 of its bytes then, in hexadecimal.
        most: bytes a file may have.

    Raises:
        HttpError: it is not that file any more, cannot be read, or is too large.
    """
    try:
        # without O_NONBLOCK opening a pipe waits for its other end
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except OSError as error:
        raise _changed() from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _changed()
        if status.st_size > most:
            raise HttpError(413, f"The photo has {human_bytes(status.st_size)}; it is not sent.")
        with open(handle, "rb", closefd=False) as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                raise _changed()
        os.lseek(handle, 0, os.SEEK_SET)
    except OSError as error:
        os.close(handle)
        raise _changed() from error
    except HttpError:
        os.close(handle)
        raise
    return open(handle, "rb")


def media_type(stream: BinaryIO) -> str:
    """What a browser shows that file as, or "" where it shows it not at all."""
    head = stream.read(32)
    stream.seek(0)
    for start, name in _SHOWN.items():
        if head.startswith(start):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return ""


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file, piece by piece; closes it."""
    with stream:
        while block := stream.read(_BLOCK):
            yield block


class PhotoDecoder:
    """Photos as JPEG, each decoded in a process that is stopped at `store.bounded.BOUNDS`.

    A photo was decoded when it was indexed, but perhaps elsewhere, by another library and at
    another size; so it is as little trusted as an upload, and no search waits for it.

    Args:
        most: processes.
        patience: seconds of processor after which a photo gives way, where others wait.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._processes = BoundedProcesses(BOUNDS, most, patience, __name__)

    def as_jpeg(self, stream: BinaryIO, side: int = _GREATEST) -> bytes:
        """The photo as JPEG, upright, no side greater than `side`; closes the file.

        Raises:
            CorruptError: it cannot be decoded, or takes too much.
        """
        with stream:
            return self._processes.run(_as_jpeg, stream.read(), side)

    def close(self) -> None:
        """End the processes."""
        self._processes.close()


def _as_jpeg(data: bytes, side: int, quality: int = 85) -> bytes:
    # No bound on pixels but by time and memory: these very bytes were decoded when indexed.
    image = decode_photo(data, side, max_pixels=sys.maxsize, heic=True)
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _changed() -> HttpError:
    return HttpError(
        410,
        "This photo is not there any more, or not the one that was indexed.",
        "Type `sbirctl index` for its folder again.",
    )
