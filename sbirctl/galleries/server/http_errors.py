"""Errors of HTTP: a status, a sentence, and what to do; all as JSON."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse

from sbirctl.core.errors import (
    CorruptError,
    MismatchError,
    MissingError,
    SbirctlError,
    UsageError,
)


class HttpError(SbirctlError):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: what is wrong with it.
        hint: what to do instead; empty when there is nothing to add.
        retry: seconds after which it may be tried again; 0 where that would not help.
    """

    def __init__(self, status: int, message: str, hint: str = "", retry: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status
        self.retry = retry


class PlainJSON(JSONResponse):
    """JSON in plain ASCII: names of files may hold what cannot be sent as UTF-8."""

    def render(self, content: object) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def response(error: SbirctlError) -> PlainJSON:
    """The answer to a request that failed, as JSON that the page shows as text."""
    status, headers = 500, {}
    if isinstance(error, HttpError):
        status = error.status
        headers = {"Retry-After": str(error.retry)} if error.retry else {}
    elif isinstance(error, MissingError):
        status = 404
    elif isinstance(error, MismatchError):
        status = 409
    elif isinstance(error, UsageError | CorruptError):
        status = 400
    return PlainJSON({"error": error.message, "hint": error.hint}, status, headers=headers)
