"""Qdrant's client: addresses, connections, and its errors in two lines."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.files import display_path

if TYPE_CHECKING:
    from types import ModuleType

    from qdrant_client import QdrantClient

_TIMEOUT = 60  # seconds
_SCHEMES = ("qdrant", "qdrant+https")


def parse(spec: str) -> tuple[str, str]:
    """Address or folder, and collection.

    Raises:
        UsageError: it is no such address.
    """
    try:
        parts = urlsplit(spec)
        scheme = "https" if parts.scheme.endswith("https") else "http"
        host, port = parts.hostname, parts.port or 6333
    except ValueError as error:
        raise _no_address(spec) from error
    folder, _, name = parts.path.rpartition("/")
    if parts.scheme not in _SCHEMES or not name or (host and folder) or not (host or folder):
        raise _no_address(spec)
    if not host:
        return folder, name
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}", name


@cache
def connect(location: str) -> QdrantClient:
    """A client for an address, or the local mode in a folder; one a process, for it locks that.

    Raises:
        MissingError: qdrant-client is not installed.
        SbirctlError: another process has the folder open.
    """
    models = library()
    assert models is not None
    from qdrant_client import QdrantClient

    if not location.startswith("http"):
        try:
            client = QdrantClient(path=location, force_disable_check_same_thread=True)
            atexit.register(client.close)  # its own farewell comes too late, and complains
            return client
        except RuntimeError as error:
            raise SbirctlError(
                f"{display_path(location)} cannot be opened: {str(error).splitlines()[0]}",
                "Local mode is for one process; a Qdrant server for many.",
            ) from error
    key = os.environ.get("QDRANT_API_KEY") or None
    return QdrantClient(url=location, api_key=key, timeout=_TIMEOUT, check_compatibility=False)


def library() -> ModuleType:
    """The client's models.

    Raises:
        MissingError: qdrant-client is not installed.
    """
    try:
        from qdrant_client import models
    except ImportError as error:
        raise MissingError(
            "qdrant-client is not installed.", "Type `pip install 'sbirctl[qdrant]'`."
        ) from error
    found: ModuleType = models
    return found


_LOCAL = threading.RLock()  # the local mode is not made for several threads


@contextmanager
def told(spec: str) -> Iterator[None]:
    """Qdrant's errors in two lines.

    Raises:
        MissingError: nothing answers there, or the collection was removed meanwhile.
    """
    from httpx import HTTPError
    from qdrant_client.http.exceptions import ApiException

    try:
        with _LOCAL if urlsplit(spec).hostname is None else nullcontext():
            yield
    except (ApiException, HTTPError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise MissingError(
            f"{spec} does not answer as a Qdrant server: {reason}.",
            "Is it running, and is $QDRANT_API_KEY right?",
        ) from error
    except ValueError as error:  # what the local mode raises
        if not (str(error).startswith("Collection ") and str(error).endswith(" not found")):
            raise
        raise MissingError(
            f"The collection {spec} is not there any more.",
            f"Fill it again: `sbirctl index FOLDER --gallery N --engine {spec}`.",
        ) from error


def _no_address(spec: str) -> UsageError:
    return UsageError(
        f"{spec!r} is no address of a collection.", "Write it like qdrant://localhost:6333/photos."
    )
