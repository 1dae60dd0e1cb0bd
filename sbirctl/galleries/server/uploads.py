"""The bytes of a request: counted before and while they come, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.requests import ClientDisconnect, Request

from sbirctl.core.files import human_bytes
from sbirctl.galleries.server.http_errors import HttpError
from sbirctl.galleries.server.limits import Limits


class Uploads:
    """Reads bodies; all that are not answered yet stay below a bound together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._coming = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request; it counts until the request is answered.

        Raises:
            HttpError: its length is not told or too great, it is too slow, or one of too many.
        """
        length = _length(request)
        if length > self._limits.body:
            raise HttpError(
                413,
                f"The file has {human_bytes(length)}, more than {human_bytes(self._limits.body)}.",
                "Make the picture smaller.",
            )
        with self._reserved(length):
            try:
                async with asyncio.timeout(self._limits.receive_seconds * 0.9):
                    data = await _read(request, length)
            except TimeoutError:
                raise HttpError(408, "The file came too slowly.", "Try again.") from None
            except ClientDisconnect:
                raise HttpError(400, "The file ended too early.") from None
            yield data

    @contextmanager
    def _reserved(self, length: int) -> Iterator[None]:
        if self._coming + length > self._limits.bodies:
            raise HttpError(503, "Too many files come at once.", "Try again in a moment.", retry=1)
        self._coming += length
        try:
            yield
        finally:
            self._coming -= length


def _length(request: Request) -> int:
    text = request.headers.get("content-length", "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise HttpError(411, "The request does not say how long it is.", "Send Content-Length.")
    return int(text)


async def _read(request: Request, length: int) -> bytes:
    parts = bytearray()
    async for part in request.stream():
        parts += part
    if len(parts) != length:
        raise HttpError(400, "The file ended too early.")
    return bytes(parts)
