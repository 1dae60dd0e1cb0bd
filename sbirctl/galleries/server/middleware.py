"""What stands before every request: whose it is, and what every answer carries."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sbirctl.galleries.server.auth import AccessControl
from sbirctl.galleries.server.http_errors import HttpError, response

# Scripts, styles and requests of this server only; nothing inline, no frame around it, no form.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
FAILED = HttpError(500, "The server failed.", "Its terminal says why.")
_YEAR = 365 * 24 * 3600


class SecurityMiddleware:
    """Middleware: refuses what is not for us, and sees that no error leaves without an answer.

    Args:
        app: what answers.
        access: the rules.
        warn: told of errors that should not happen.
    """

    def __init__(self, app: ASGIApp, access: AccessControl, warn: Callable[[str], None]) -> None:
        self._app = app
        self._access = access
        self._warn = warn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            answer = self._before(scope)
            if answer is None:
                await self._app(scope, receive, sending)
                return
        except HttpError as error:
            answer = response(error)
        except Exception as error:
            self._warn(f"This should not happen: {scope['method']} {_said(scope)}: {error!r}")
            self._warn("".join(traceback.format_exception(error)).rstrip())
            if begun:  # the answer for failures, or one that now breaks off
                return
            answer = response(FAILED)
        await answer(scope, receive, sending)

    def _before(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._access.is_own_host(headers.get("host", "")):
            raise HttpError(
                421,
                "This server does not answer to that name.",
                "Use the address that `sbirctl serve` printed.",
            )
        if not self._access.is_own_page(headers, scope["method"] in ("GET", "HEAD")):
            raise HttpError(403, "Another site's page asked for this.")
        if self._access.token is None:
            return None
        return self._enter(scope, headers)

    def _enter(self, scope: Scope, headers: Headers) -> Response | None:
        port = (scope.get("server") or ("", 0))[1]
        name = f"sbirctl-{port}"  # cookies know no ports, so two servers must not share a name
        given = QueryParams(scope["query_string"]).get("token", "")
        if scope["path"] == "/" and self._access.is_token(given):
            answer = RedirectResponse("/", 303)  # the token leaves the address line
            # lax: a link from elsewhere may lead here; other sites' requests are refused above
            answer.set_cookie(
                name, self._access.cookie_value(), max_age=_YEAR, httponly=True, samesite="lax"
            )
            return answer
        if not self._access.may_enter(
            _cookie(headers.get("cookie", ""), name), headers.get("authorization", "")
        ):
            raise HttpError(
                401,
                "This gallery is not open to everyone.",
                "Use the whole address that `sbirctl serve` printed, with its token.",
            )
        return None


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _said(scope: Scope) -> str:
    return repr(scope["path"])[:200]
