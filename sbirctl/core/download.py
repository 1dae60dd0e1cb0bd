"""Fetching a file over HTTP: whole or not at all, continued where it stopped.

What has arrived lies in `<file>.part`, with what the server said about it in `<file>.part.json`.
A file gets its name when it is whole; `<file>.json` then records its digest, which is checked
whenever the file is used again. A web page is never taken for a file.
"""

from __future__ import annotations

import http.client
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import digest_file, display_path, lock, read_json, write_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.transfer import TRIES, Remote, Transfer, headers
from sbirctl.core.webpages import is_page

__all__ = ["Remote", "fetch", "size_of"]


def fetch(
    remote: Remote,
    target: Path,
    *,
    report: Reporter = SILENT,
    tries: int = TRIES,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """The file at `target`, fetched where it is not there yet; a stopped call is continued.

    Args:
        remote: what to fetch.
        target: where it shall lie.
        report: for progress (in bytes) and warnings.
        tries: how often in a row it may fail without any byte arriving.
        pause: how to wait, in seconds.

    Raises:
        MissingError: it cannot be had: no network, no such file, a page instead of the file.
        CorruptError: it is not the file it was when it first arrived, or has another size than
            published.
        SbirctlError: no space, or another process is fetching it.
    """
    if target.is_file():
        return _checked(target, remote)
    with lock(target.with_name(f".{target.name}.lock"), busy=f"{target.name} is being fetched"):
        if target.is_file():
            return _checked(target, remote)
        Transfer(remote, target, report).run(tries, pause)
        _write_receipt(target, digest_file(target), remote.url)
    return target


def size_of(remote: Remote, timeout: float = 10.0) -> int:
    """Bytes of the file as its server says, 0 where it does not."""
    request = urllib.request.Request(remote.url, headers=headers({"Range": "bytes=0-0"}))
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            if is_page(answer.headers.get("Content-Type", ""), b""):
                return 0
            whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
            length = whole if answer.status == 206 else answer.headers.get("Content-Length", "")
            return int(length) if length.isdigit() else 0
    except (OSError, http.client.HTTPException):
        return 0


def _checked(target: Path, remote: Remote) -> Path:
    """A file that is there, when it is the one that arrived."""
    receipt = _receipt(target)
    digest = digest_file(target)
    if not receipt.is_file():  # somebody put it there: from now on it is the one
        _write_receipt(target, digest, "")
        return target
    recorded = read_json(receipt).get("sha256")
    if recorded != digest:
        raise CorruptError(
            f"{display_path(target)} has changed since it arrived: SHA-256 {digest[:12]}, "
            f"then {str(recorded)[:12]}.",
            f"Delete it to fetch it again. {remote.hint}",
        )
    return target


def _receipt(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _write_receipt(target: Path, digest: str, url: str) -> None:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    size = target.stat().st_size
    write_json(_receipt(target), {"url": url, "bytes": size, "sha256": digest, "arrived": when})
