"""An upload as the picture a model looks at, made in a process that can be stopped.

What somebody sends may take minutes or gigabytes to decode. No search waits for that: the threads
that wait for these processes do nothing else, and the longest call gives way to others.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import numpy as np
from PIL import Image

from sbirctl.core.bounded import BoundedProcesses, Bounds
from sbirctl.core.errors import CorruptError
from sbirctl.core.files import human_bytes
from sbirctl.core.progress import Reporter
from sbirctl.drawings.placement import Placement
from sbirctl.drawings.reading import is_lines, read_drawing
from sbirctl.galleries.server.http_errors import HttpError
from sbirctl.galleries.server.limits import Limits
from sbirctl.galleries.server.worker import Worker
from sbirctl.store.images import decode_photo, to_pixels
from sbirctl.store.manifest import Modality

T = TypeVar("T")


class Warnings(Reporter):
    """Keeps what is warned of for the answer.

    Attributes:
        messages: in the order they came.
    """

    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        """See `Reporter.warn`."""
        self.messages.append(message)


class PictureMaker:
    """Makes pictures of uploads.

    Args:
        limits: what an upload may be, and take.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        bounds = Bounds(limits.decode_seconds, limits.decode_memory)
        self._processes = BoundedProcesses(
            bounds, limits.decoders, limits.decode_patience, __name__
        )
        # more threads than processes, for a call gives way only where another waits for it
        self._waiting = Worker("decode", 2 * limits.decoders, limits.waiting)

    def start(self) -> None:
        """Start a process, so that the first upload does not wait for it."""
        with suppress(OSError, CorruptError):  # the first upload says why
            self._processes.start()

    async def square(
        self, data: bytes, modality: Modality, size: int, placement: Placement
    ) -> tuple[Image.Image, list[str]]:
        """The picture as `Searcher.embed` takes it, and what is to be warned of.

        Args:
            data: of an image file, or of a drawing made of lines.
            modality: what it is to be taken for.
            size: side of the square the model looks at.
            placement: where drawings lie on their sheets.

        Raises:
            HttpError: the bytes are no such picture, or it takes too much to make.
        """
        self._check(data, modality)
        pixels, warnings = await self._run(_square, data, modality, size, placement)
        return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), warnings

    async def cleaned(self, data: bytes) -> tuple[bytes, list[str]]:
        """A drawing black on white, as PNG, and what is to be warned of.

        Raises:
            HttpError: as for `square`.
        """
        self._check(data, "sketch")
        return await self._run(_cleaned, data)

    def close(self) -> None:
        """End threads and processes."""
        self._waiting.close()
        self._processes.close()

    def _check(self, data: bytes, modality: Modality) -> None:
        if modality == "sketch" and is_lines(data) and len(data) > self._limits.strokes:
            raise HttpError(
                413,
                f"A drawing of lines may have {human_bytes(self._limits.strokes)}.",
                "Send a picture.",
            )

    async def _run(self, function: Callable[..., T], data: bytes, *more: object) -> T:
        def work() -> T:
            return self._processes.run(function, data, self._limits.pixels, *more)

        try:
            return await self._waiting.run(work)
        except HttpError:
            raise
        except CorruptError as error:
            hint = error.hint or "Take a PNG, JPEG, SVG or .ndjson."
            raise HttpError(400, error.message, hint) from error


def _square(
    data: bytes, max_pixels: int, modality: Modality, size: int, placement: Placement
) -> tuple[np.ndarray, list[str]]:
    warnings = Warnings()
    if modality == "photo":
        try:
            image = decode_photo(data, max_pixels=max_pixels)
        except CorruptError as error:
            raise CorruptError(f"The photo cannot be read: {error.message}.", error.hint) from error
    else:
        image = read_drawing(data, placement=placement, max_pixels=max_pixels, report=warnings)
    return to_pixels(image, modality, size), warnings.messages


def _cleaned(data: bytes, max_pixels: int) -> tuple[bytes, list[str]]:
    warnings, out = Warnings(), io.BytesIO()
    image = read_drawing(data, centre=False, max_pixels=max_pixels, report=warnings)
    image.save(out, "PNG")
    return out.getvalue(), warnings.messages
