"""The stage `serve`: the page to draw on, for galleries of one's own photos."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sbirctl.core.errors import MissingError
from sbirctl.core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from sbirctl.galleries.searcher import Searcher
    from sbirctl.galleries.server.renewal import Renewal

HOST = "127.0.0.1"
PORT = 8321


def serve(
    names: Sequence[str] = (),
    *,
    host: str = HOST,
    port: int = PORT,
    token: str | None = None,
    device: str = "auto",
    index: bool = True,
    announce: Callable[[str], None],
    report: Reporter = SILENT,
) -> None:
    """Serve until the process is interrupted.

    Args:
        names: the galleries to show, the first by default; none for all there are.
        host: address to listen at; one that others can reach demands a token.
        port: 0 for any that is free.
        token: to be shown by every browser; made where it is demanded and not given.
        device: to embed on.
        index: bring galleries of this user up to date when the page opens, in the background.
        announce: given the address to open, with the token, once the server answers.

    Raises:
        MissingError: there is no gallery, or none of a name, or Starlette or uvicorn is not
            installed.
        UsageError: the server cannot listen there, or the token is too short.
        KeyboardInterrupt: it was interrupted.
    """
    try:
        from sbirctl.galleries.server import sockets
        from sbirctl.galleries.server.app import application
        from sbirctl.galleries.server.auth import access_control_for
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise MissingError(
            f"The server needs {error.name}, which is not installed.",
            "Type `pip install starlette uvicorn`.",
        ) from error
    from sbirctl.galleries.gallery import find_gallery, list_galleries
    from sbirctl.galleries.searcher import Searcher
    from sbirctl.galleries.server.galleries import Galleries
    from sbirctl.galleries.server.limits import Limits

    for name in names:
        if "://" not in name:
            find_gallery(name).close()
    for found in list_galleries():
        if found.damaged and found.name in (names or [found.name]):
            report.warn(f"{found.damaged} It is not shown.")
    if not names and all(found.damaged for found in list_galleries()):
        find_gallery(None)  # says what is missing or damaged
    limits = Limits()
    with sockets.listen(host, port) as taken:
        access = access_control_for(host, sockets.address_of(taken), token)
        galleries = Galleries(
            names,
            opener=lambda name: _ready(Searcher.open(name, device=device, report=report)),
            most=limits.open_galleries,
        )
        info = galleries.get("").info
        report.note(f"its model is {info.model}")
        if not access.loopback:
            report.warn(
                "Others can reach this server, and the network between sees what is sent. "
                "Safer: serve without --host, and `ssh -L` from the other machine."
            )
        report.note("Open this in a browser; Ctrl-C ends it:")
        announce(sockets.url_of(taken, access.token))
        renewal = _renewal(report) if index else None
        app = application(galleries, access, limits, report, renewal)
        sockets.server(app, limits).run(sockets=[taken])


def _renewal(report: Reporter) -> Renewal:
    from sbirctl.core.home import galleries_dir
    from sbirctl.core.plugins import loaded_files
    from sbirctl.galleries.server.renewal import Renewal

    plugins = [word for path in loaded_files() for word in ("--plugin", str(path))]
    words = ("-q", "index", "--json", *plugins, "--gallery")
    return Renewal(
        [sys.executable, "-m", "sbirctl", *words],
        lambda name: galleries_dir() / name,
        _objection,
        report,
    )


def _objection(name: str) -> str:
    """Why bringing a gallery up to date is left to its owner: it would be embedded anew."""
    from contextlib import closing

    from sbirctl.core.home import galleries_dir
    from sbirctl.galleries.gallery import Gallery
    from sbirctl.pipeline.gallery_model import trained_again

    with closing(Gallery.open(galleries_dir() / name, with_vectors=False)) as gallery:
        if trained_again(gallery.record):
            return f"its run was trained again. Type {gallery.info.renewal}."
    return ""


def _ready(searcher: Searcher) -> Searcher:
    """The same, with the side of its model loaded that drawings need."""
    from PIL import Image

    searcher.embed(Image.new("L", (8, 8), 255), "sketch")
    return searcher
