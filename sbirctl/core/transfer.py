"""One file on its way over HTTP: requests, ranges, retries; see `download`."""

from __future__ import annotations

import contextlib
import errno
import http.client
import http.cookiejar
import os
import shutil
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from sbirctl import __version__
from sbirctl.core.errors import CorruptError, MissingError, SbirctlError
from sbirctl.core.files import disk_advice, human_bytes, read_json, write_json
from sbirctl.core.progress import Reporter
from sbirctl.core.webpages import complaint, confirmation, is_page, is_quota

TRIES = 6
UNANSWERED_TRIES = 2  # where no server was reached: there is no network, or the address is dead
TIMEOUT = 60.0
_QUESTIONS = 3  # a page that asks again and again never gives the file
_LONGEST_PAUSE = 120.0
_BLOCK = 1 << 20
_PAGE_BYTES = 1 << 18
_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Remote:
    """A file somewhere else.

    Attributes:
        url: its address.
        page: where a person opens it in a browser; the address where it is "".
        bytes: its size as published, 0 where nobody says.
        drive: whether it is on Google Drive, whose questions are then answered.
        instead: what to type with a file fetched by hand.
    """

    url: str
    page: str = ""
    bytes: int = 0
    drive: bool = False
    instead: str = ""

    @property
    def hint(self) -> str:
        """How a person gets it without us."""
        then = f", and type {self.instead}" if self.instead else ""
        return f"Open {self.page or self.url} in a browser, save the file{then}."


@dataclass(frozen=True)
class _State:
    """What the server said about the file of which a part is here."""

    url: str
    etag: str = ""
    modified: str = ""
    total: int = 0


class PassingError(Exception):
    """A failure that may pass; `wait` seconds where the server says how long."""

    def __init__(self, reason: str, wait: float = 0.0, *, answered: bool = True) -> None:
        super().__init__(reason)
        self.wait, self.answered = wait, answered


def headers(more: dict[str, str]) -> dict[str, str]:
    """What every request says of itself, and more."""
    # A packed answer would make ranges and lengths those of the packed bytes.
    return {"User-Agent": f"sbirctl/{__version__}", "Accept-Encoding": "identity", **more}


class Transfer:
    """One file on its way."""

    def __init__(self, remote: Remote, target: Path, report: Reporter) -> None:
        self.remote, self.target, self.report = remote, target, report
        self.part = target.with_name(f"{target.name}.part")
        self.note = target.with_name(f"{target.name}.part.json")
        self.url = remote.url
        self.questions = 0
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(cookies)

    def run(self, tries: int, pause: Callable[[float], None]) -> None:
        """Fetch until it is whole.

        Raises:
            MissingError: see `fetch`.
        """
        failures, answered = 0, False
        while True:
            before = self.size
            try:
                self._once()
                return self._finish()
            except PassingError as problem:
                answered = answered or problem.answered
                failures = 1 if self.size > before else failures + 1
                if failures >= (tries if answered else min(tries, UNANSWERED_TRIES)):
                    raise self._missing(str(problem), continues=True) from problem
                pause(min(problem.wait or 2.0 ** (failures - 1), _LONGEST_PAUSE))

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.part.stat().st_size if self.part.is_file() else 0

    @property
    def state(self) -> _State:
        """What is known about them; nothing where they came from another address."""
        with contextlib.suppress(SbirctlError, TypeError, AttributeError):
            found = _State(**read_json(self.note))
            if found.url == self.remote.url:
                return found
        return _State(self.remote.url)

    def _once(self) -> None:
        """One request.

        Raises:
            PassingError: a failure that may pass.
            MissingError: one that will not.
        """
        state = self.state
        if self.size and not state.total:
            self._discard("")  # nobody knows what it is a part of
        wanted = {}
        if self.size:
            wanted["Range"] = f"bytes={self.size}-"
            validator = "" if state.etag.startswith("W/") else state.etag
            if validator or state.modified:
                wanted["If-Range"] = validator or state.modified
        try:
            request = urllib.request.Request(self.url, headers=headers(wanted))
            with self.opener.open(request, timeout=TIMEOUT) as answer:
                self._take(answer, state)
        except urllib.error.HTTPError as error:
            self._refused(error, state)
        except OSError as error:
            raise self._lost(error) from error
        except http.client.HTTPException as error:
            raise PassingError(f"the connection broke off ({error})") from error

    def _take(self, answer: http.client.HTTPResponse, state: _State) -> None:
        """The body of an answer that is the file, or the page that came instead."""
        first = answer.read(_BLOCK)
        fresh = answer.status != 206
        if fresh and is_page(answer.headers.get("Content-Type", ""), first):
            self._page((first + answer.read(_PAGE_BYTES)).decode("utf-8", "replace"), answer.url)
            return
        new = self._said(answer, fresh)
        if not fresh and not _continues(answer, state, new, self.size):
            self._discard("The server's file has changed; it is fetched anew.")
            raise PassingError("the file changed on the server while it was fetched")
        if fresh and self.size:
            self._discard("The server begins anew; what had arrived cannot be continued.")
        if self.remote.bytes and new.total and new.total != self.remote.bytes:
            raise CorruptError(
                f"{self.target.name} has {new.total:,} bytes there, not the published "
                f"{self.remote.bytes:,}.",
                f"It may be another file. {self.remote.hint}",
            )
        self._space(new.total)
        write_json(self.note, asdict(new))
        self._store(first, answer, new)
        if new.total and self.size < new.total:
            raise PassingError(f"the connection broke off after {human_bytes(self.size)}")

    def _said(self, answer: http.client.HTTPResponse, fresh: bool) -> _State:
        head = answer.headers
        length = head.get("Content-Length", "") if fresh else _whole(head.get("Content-Range", ""))
        total = int(length) if length.isdigit() else 0
        url = self.remote.url
        return _State(url, head.get("ETag", ""), head.get("Last-Modified", ""), total)

    def _store(self, first: bytes, answer: http.client.HTTPResponse, state: _State) -> None:
        label = f"fetching {self.target.name}"
        with (
            self._full_said(state.total),
            self.report.bar(label, state.total or None, self.size) as advance,
            open(self.part, "ab") as stream,
        ):
            block = first
            while block:
                stream.write(block)
                advance(len(block))
                block = answer.read(_BLOCK)

    @contextlib.contextmanager
    def _full_said(self, total: int) -> Iterator[None]:
        """Tells a full disk with the file's size, any other limit as `disk_advice` does."""
        with disk_advice(self.part):
            try:
                yield
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise self._no_space(total) from error
                raise

    def _page(self, text: str, url: str) -> None:
        """Answer Drive's question, or say what the page says."""
        onward = confirmation(text, url) if self.remote.drive and not is_quota(text) else ""
        self.questions += 1
        if not onward or self.url == onward or self.questions > _QUESTIONS:
            raise self._missing(complaint(text))
        self.url = onward
        self._once()

    def _refused(self, error: urllib.error.HTTPError, state: _State) -> None:
        if error.code == 416:
            whole = _whole(error.headers.get("Content-Range", ""))
            if self.size and whole == str(self.size):
                return  # everything was here already
            self._discard("The server's file has changed; it is fetched anew.")
            raise PassingError("the server has no such part of the file") from error
        if error.code in _PASSING:
            after = error.headers.get("Retry-After", "")
            wait = float(after) if after.isdigit() else 0.0
            raise PassingError(f"the server says {error.code} {error.reason}", wait) from error
        text = ""
        with contextlib.suppress(OSError, http.client.HTTPException):
            text = error.read(_PAGE_BYTES).decode("utf-8", "replace")
        quota = is_quota(text)
        reason = complaint(text) if quota else f"the server says {error.code} {error.reason}"
        raise self._missing(reason) from error

    def _lost(self, error: OSError) -> Exception:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return self._missing(f"its certificate is not accepted ({reason.verify_message})")
        answered = not isinstance(reason, socket.gaierror | ConnectionRefusedError)
        what = "no answer within a minute" if isinstance(reason, TimeoutError) else str(reason)
        return PassingError(what, answered=answered)

    def _finish(self) -> None:
        """Give the file its name."""
        state = self.state
        expected = state.total or self.remote.bytes
        if expected and self.size != expected:
            size = self.size
            self._discard("")
            raise CorruptError(
                f"{self.target.name} arrived with {size:,} bytes instead of {expected:,}.",
                f"Type the command again. {self.remote.hint}",
            )
        if not self.size:
            self._discard("")
            raise self._missing("it is empty")
        with open(self.part, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(self.part, self.target)
        self.note.unlink(missing_ok=True)

    def _discard(self, why: str) -> None:
        if why:
            self.report.warn(f"{self.target.name}: {why}")
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _space(self, total: int) -> None:
        free = shutil.disk_usage(self.target.parent).free
        if total - self.size > free:
            raise self._no_space(total)

    def _no_space(self, total: int) -> SbirctlError:
        need = f", which has {human_bytes(total)}" if total else ""
        return SbirctlError(
            f"No space left for {self.target.name}{need}: "
            f"{human_bytes(shutil.disk_usage(self.target.parent).free)} are free.",
            "Free some space, or set SBIRCTL_HOME to a larger disk; the same command continues.",
        )

    def _missing(self, reason: str, *, continues: bool = False) -> MissingError:
        host = urlsplit(self.url).netloc
        more = "The same command continues. " if continues and self.size else ""
        return MissingError(
            f"{self.target.name} cannot be fetched from {host}: {reason}.",
            more + self.remote.hint,
        )


def _whole(content_range: str) -> str:
    """The length of the whole file in a Content-Range header."""
    return content_range.rpartition("/")[2]


def _continues(answer: http.client.HTTPResponse, state: _State, new: _State, size: int) -> bool:
    """Whether a partial answer goes on where the part here ends, in the same file."""
    start = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    same = replace(new, total=state.total) == state or not (state.etag or state.modified)
    return start == str(size) and new.total == state.total and same
