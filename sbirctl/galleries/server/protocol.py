"""HTTP with an end to every wait: half a request, a slow one, an answer nobody reads."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from sbirctl.galleries.server.limits import Limits


def with_deadlines(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's protocol, which cuts a connection that stays in one phase for too long.

    The phases: the head of a request is awaited (or the next request), its body, the end of the
    answer. Bytes that trickle in do not start the time anew; the next phase does.
    """

    class Deadlines(H11Protocol):
        _timer: asyncio.TimerHandle | None = None
        _phase: tuple[str, Any] | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._look()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(exc)

        def _look(self) -> None:
            phase = "head"
            if self.cycle is not None and not self.cycle.response_complete:
                phase = "body" if self.cycle.more_body else "answer"
            if self._phase == (phase, self.cycle):
                return
            self._phase = (phase, self.cycle)
            if self._timer is not None:
                self._timer.cancel()
            seconds = limits.answer_seconds if phase == "answer" else limits.receive_seconds
            self._timer = self.loop.call_later(seconds, self.transport.abort)

    return Deadlines
