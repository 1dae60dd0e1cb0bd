"""Listening: the socket, the address to open, and uvicorn until it is told to stop."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket

import uvicorn
from starlette.types import ASGIApp

from sbirctl.core.errors import SbirctlError, UsageError
from sbirctl.galleries.server.limits import Limits
from sbirctl.galleries.server.protocol import with_deadlines

_FAREWELL = 3  # seconds that answers under way have when the server is stopped


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Args:
        host: an address of this machine, or a name of one.
        port: 0 for any that is free.

    Raises:
        UsageError: there is no such address here, or the port is taken or not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"There is no host {host!r}.", "Leave out --host, or type 0.0.0.0."
        ) from error
    family, kind, protocol, _, address = found[0]
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(256)
    except OSError as error:
        taken.close()
        raise _cannot(host, port, error) from error
    return taken


def address_of(taken: socket.socket) -> str:
    """The address a socket listens at, without a zone."""
    host: str = taken.getsockname()[0]
    return host.partition("%")[0]


def url_of(taken: socket.socket, token: str | None) -> str:
    """What to open in a browser, with the token where one is asked for."""
    address, port = ipaddress.ip_address(address_of(taken)), taken.getsockname()[1]
    host = str(address)
    if address.is_unspecified:
        host = socket.gethostname()
    elif address.version == 6:
        host = f"[{host}]"
    return f"http://{host}:{port}/" + (f"?token={token}" if token else "")


def server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """A server to `run(sockets=[…])`.

    It stops at SIGINT or SIGTERM, which is raised again once the answers under way are sent.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app,
        http=with_deadlines(limits),
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=_FAREWELL,
    )
    return uvicorn.Server(config)


def _cannot(host: str, port: int, error: OSError) -> SbirctlError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"Port {port} is taken.", "Take another: --port 0 finds a free one.")
    if error.errno == errno.EACCES:
        return UsageError(f"Port {port} may not be used.", "Take one above 1023.")
    return UsageError(
        f"Cannot listen at {host} port {port}: {error.strerror}.",
        "Leave out --host, or type an address of this machine.",
    )
