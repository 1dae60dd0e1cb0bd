"""`sbirctl serve`: a page to draw on, and the photos that look like it."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Text, show
from sbirctl.pipeline.serve import HOST, PORT

panel = "Your own photos"
order = 3


def command(
    gallery: Annotated[
        list[str] | None,
        typer.Option(
            "--gallery",
            "-g",
            metavar="NAME",
            autocompletion=_names.galleries,
            help="Gallery to offer on the page; may be repeated. [default: all]",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen on; one that other machines can reach needs a token."
        ),
    ] = HOST,
    port: Annotated[
        int,
        typer.Option(
            "--port", "-p", min=0, max=65535, help="Port to listen on; 0 takes any that is free."
        ),
    ] = PORT,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="SBIRCTL_TOKEN",
            help="Token that the page asks for. [default: a random one where --host needs it]",
            show_default=False,
        ),
    ] = None,
    device: _console.DeviceOption = "auto",
    index: Annotated[
        bool,
        typer.Option(
            "--index/--no-index",
            help="When the page opens, look in the background whether photos came or went, in "
            "galleries of one's own.",
        ),
    ] = True,
) -> None:
    """Draw in the browser and see the photos found; prints the address to open.

    Only this machine can reach the page, unless --host says otherwise. Ctrl-C ends it.
    """
    from sbirctl.pipeline.serve import serve

    serve(
        gallery or (),
        host=host,
        port=port,
        token=token,
        device=device,
        index=index,
        report=_console.reporter(),
        announce=lambda url: show(Text({"url": url}, f"{url}\n"), "serve"),
    )
