"""The routes of the server: searches, small pictures and photos."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Coroutine
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sbirctl.galleries.searcher import Hit, Searcher
from sbirctl.galleries.server import file_manager
from sbirctl.galleries.server.galleries import Galleries
from sbirctl.galleries.server.http_errors import HttpError, PlainJSON
from sbirctl.galleries.server.limits import Limits
from sbirctl.galleries.server.photos import PhotoDecoder, blocks, media_type, open_photo
from sbirctl.galleries.server.pictures import PictureMaker
from sbirctl.galleries.server.rate import Rate
from sbirctl.galleries.server.renewal import Renewal
from sbirctl.galleries.server.search_request import (
    SearchRequest,
    filter_of,
    folders_of,
    number_of,
)
from sbirctl.galleries.server.thumbnails import Thumbnails
from sbirctl.galleries.server.uploads import Uploads
from sbirctl.galleries.server.worker import Worker

T = TypeVar("T")
_ID = re.compile(r"[0-9a-f]{64}")
_KEEP = {"Cache-Control": "private, max-age=3600, immutable"}  # an id is the digest of the bytes


class Routes:
    """The endpoints and what they share.

    Args:
        galleries: what may be searched.
        limits: how much.
        renewal: brings galleries up to date when they are opened; None where nothing does.
        shows: photos may be shown in this machine's file manager.
    """

    def __init__(
        self,
        galleries: Galleries,
        limits: Limits,
        renewal: Renewal | None = None,
        shows: bool = False,
    ) -> None:
        self._renewal = renewal
        self._shows = shows
        self._galleries = galleries
        self._limits = limits
        self._uploads = Uploads(limits)
        self._rate = Rate(limits.rate, limits.burst)
        self._pictures = PictureMaker(limits)
        self._searching = Worker("search", 1, limits.waiting)
        self._photos = PhotoDecoder(limits.photo_decoders, limits.photo_patience)
        # more threads than processes, as for uploads
        self._reading = Worker("read", 2 * limits.photo_decoders, limits.pictures)
        self._thumbnails = Thumbnails(limits.thumbnails)
        self._showing = Worker("show", 1, limits.shown)

    def routes(self) -> list[Route]:
        """Everything that can be asked."""
        return [
            Route("/api/galleries", self.galleries),
            Route("/api/gallery", self.gallery),
            Route("/api/search", self.search, methods=["POST"]),
            Route("/api/drawing", self.drawing, methods=["POST"]),
            Route("/api/like/{id}", self.like),
            Route("/thumbnail/{id}", self.thumbnail),
            Route("/photo/{id}", self.photo),
            Route("/api/show/{id}", self.show, methods=["POST"]),
        ]

    def start(self) -> None:
        """Make ready for the first search."""
        self._pictures.start()

    def close(self) -> None:
        """End threads and processes."""
        if self._renewal is not None:
            self._renewal.close()
        self._pictures.close()
        self._photos.close()
        self._searching.close()
        self._reading.close()
        self._showing.close()

    async def galleries(self, request: Request) -> Response:
        """Name, number of photos and model of each gallery, and whether it is looked at again."""
        infos = await self._reading.run(self._galleries.infos)
        return PlainJSON(
            [
                {
                    "name": one.name,
                    "photos": one.photos,
                    "model": one.model,
                    "with": self._galleries.with_model_of(one, infos),
                    "looking": self._renewal is not None and self._renewal.is_open(one.name),
                }
                for one in infos
            ]
        )

    async def gallery(self, request: Request) -> Response:
        """Open a gallery, so that the first search does not wait for its model."""
        self._rate.take(_address(request))

        def work() -> dict[str, object]:
            one = self._open(request)
            if self._renewal is not None:
                self._renewal.ask(one.names)
            return {
                "name": one.info.name,
                "words": one.has_text,
                "folders": folders_of(one, self._limits),
                "caution": one.embedder.caution,
                "shows": self._shows,
            }

        return PlainJSON(await _unless_gone(request, self._searching.run(work)))

    async def search(self, request: Request) -> Response:
        """The photos nearest to an uploaded drawing or photo, to words, or to both."""
        self._rate.take(_address(request))
        wanted = SearchRequest.of(request.query_params, self._limits)
        async with self._uploads.body(request) as data:
            return PlainJSON(await _unless_gone(request, self._answer(request, wanted, data)))

    async def _answer(
        self, request: Request, wanted: SearchRequest, data: bytes
    ) -> dict[str, object]:
        started = time.perf_counter()
        one = await self._searching.run(lambda: self._open(request))
        picture, warnings = None, list[str]()
        if data:
            picture, warnings = await self._pictures.square(
                data, wanted.modality, one.size, one.placement
            )

        def work() -> dict[str, object]:
            vector = wanted.vector(one, picture)
            embedded = time.perf_counter()
            those = filter_of(request.query_params, one, self._limits)
            found = one.find(vector[None], wanted.k, those)[0]
            ended = time.perf_counter()
            return {
                "photos": _told(found.hits),
                "likely": found.likely if wanted.is_drawing else None,
                "embed_ms": round(1000 * (embedded - started), 2),
                "search_ms": round(1000 * (ended - embedded), 2),
                "warnings": [*warnings, *those.said()],
            }

        return await self._searching.run(work)

    async def like(self, request: Request) -> Response:
        """The photos nearest to one of the gallery."""
        self._rate.take(_address(request))
        name, k = _id(request), number_of(request.query_params, self._limits)

        def work() -> dict[str, object]:
            one = self._open(request)
            those = filter_of(request.query_params, one, self._limits)
            found = one.find(one.vector(name)[None], k, those)[0]
            return {"photos": _told(found.hits), "warnings": those.said()}

        return PlainJSON(await _unless_gone(request, self._searching.run(work)))

    async def drawing(self, request: Request) -> Response:
        """An uploaded picture or file of strokes cleaned to black on white, as PNG."""
        self._rate.take(_address(request))
        async with self._uploads.body(request) as data:
            made, warnings = await _unless_gone(request, self._pictures.cleaned(data))
        told = quote(" ".join(warnings), safe=" ")
        headers = {"X-Warnings": told} if told else None
        return Response(made, media_type="image/png", headers=headers)

    async def thumbnail(self, request: Request) -> Response:
        """A photo, small."""
        name = _id(request)

        def work() -> bytes:
            path = self._open(request).photo(name)
            side, most = self._limits.thumbnail, self._limits.file

            def make() -> bytes:
                return self._photos.as_jpeg(open_photo(path, name, most), side)

            return self._thumbnails.get(name, make)

        made = await _unless_gone(request, self._reading.run(work))
        return Response(made, media_type="image/jpeg", headers=_KEEP)

    async def photo(self, request: Request) -> Response:
        """A photo as it is; one that browsers do not show, as JPEG."""
        name = _id(request)

        def work() -> Response:
            stream = open_photo(self._open(request).photo(name), name, self._limits.file)
            kind = media_type(stream)
            if not kind:
                made = self._photos.as_jpeg(stream)
                return Response(made, media_type="image/jpeg", headers=_KEEP)
            return StreamingResponse(blocks(stream), media_type=kind, headers=_KEEP)

        return await self._reading.run(work)

    async def show(self, request: Request) -> Response:
        """Show a photo in the file manager, for the person at this machine."""
        self._rate.take(_address(request))
        name = _id(request)
        if not self._shows:
            raise HttpError(404, "This server opens no file manager.", "Copy the path instead.")
        await self._showing.run(lambda: file_manager.show(self._open(request).photo(name)))
        return PlainJSON({})

    def _open(self, request: Request) -> Searcher:
        return self._galleries.together(request.query_params.getlist("gallery"))


def _told(hits: list[Hit]) -> list[dict[str, object]]:
    return [{"id": hit.id, "score": round(float(hit.score), 4), "path": hit.path} for hit in hits]


def _id(request: Request) -> str:
    name: str = request.path_params["id"]
    if not _ID.fullmatch(name):
        raise HttpError(404, "There is no photo of that id.")
    return name


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; where the browser has stopped waiting, work not begun is dropped."""
    job = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({job, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            raise HttpError(499, "The browser has stopped waiting.")
        return await job
    finally:
        job.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
