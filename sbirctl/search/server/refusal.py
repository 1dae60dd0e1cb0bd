"""What the server says when it will not: a status, a sentence, and what to do."""

from __future__ import annotations

from starlette.responses import JSONResponse

from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError


class RefusedError(SbirctlError):
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


def response(error: SbirctlError) -> JSONResponse:
    """The answer to a request that failed, as JSON that the page shows as text."""
    status, headers = 500, {}
    if isinstance(error, RefusedError):
        status = error.status
        headers = {"Retry-After": str(error.retry)} if error.retry else {}
    elif isinstance(error, MissingError):
        status = 404
    elif isinstance(error, UsageError | CorruptError):
        status = 400
    return JSONResponse({"error": error.message, "hint": error.hint}, status, headers=headers)
