"""The application: routes, errors as JSON, and the middleware before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from sbirctl.core.errors import SbirctlError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.galleries.server import file_manager
from sbirctl.galleries.server.auth import AccessControl
from sbirctl.galleries.server.galleries import Galleries
from sbirctl.galleries.server.http_errors import HttpError, response
from sbirctl.galleries.server.limits import Limits
from sbirctl.galleries.server.middleware import FAILED, SecurityMiddleware
from sbirctl.galleries.server.page import page_routes
from sbirctl.galleries.server.renewal import Renewal
from sbirctl.galleries.server.routes import Routes


def application(
    galleries: Galleries,
    access: AccessControl,
    limits: Limits,
    report: Reporter = SILENT,
    renewal: Renewal | None = None,
) -> ASGIApp:
    """Everything the server answers.

    Args:
        galleries: what may be searched.
        access: who may ask.
        limits: how much.
        report: told of what should not happen.
        renewal: brings galleries up to date when the page opens; None where nothing does.
    """
    # Others than the person at this machine must not open windows on it.
    shows = access.loopback and file_manager.is_there()
    endpoints = Routes(galleries, limits, renewal, shows)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        starting = asyncio.create_task(asyncio.to_thread(endpoints.start))
        yield
        endpoints.close()
        await starting

    inner = Starlette(
        routes=[*page_routes(), *endpoints.routes()],
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _not_there,
            SbirctlError: _failed,
            Exception: _broken,
        },
    )
    inner.router.redirect_slashes = False
    return SecurityMiddleware(inner, access, report.warn)


async def _not_there(_: Request, error: Exception) -> Response:
    status = cast(HTTPException, error).status_code
    return response(HttpError(status, "There is nothing here that answers to that."))


async def _failed(_: Request, error: Exception) -> Response:
    return response(cast(SbirctlError, error))


async def _broken(_: Request, _error: Exception) -> Response:
    return response(FAILED)  # raised again by Starlette, and told by the middleware
