"""The page: a handful of files that are part of the program, sent as they are."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def page_routes() -> list[Route]:
    """A route for each file of the folder `page`, read once; `index.html` is the root."""
    found = []
    for path in files(__package__).joinpath("page").iterdir():
        kind = _MEDIA.get(path.name.rpartition(".")[2])
        if kind:
            place = "/" if path.name == "index.html" else f"/{path.name}"
            found.append(_route(place, path.read_bytes(), kind))
    return found


def _route(place: str, data: bytes, kind: str) -> Route:
    async def answer(_: Request) -> Response:
        return Response(data, media_type=kind, headers={"Cache-Control": "no-cache"})

    return Route(place, answer)
