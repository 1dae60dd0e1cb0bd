"""SIGTERM and SIGHUP end a command as Ctrl-C does: it says where it stands and how to go on.

Batch systems, service managers and terminals that close send them. What started the command then
sees that a signal ended it (143 and 129 in a shell), as it would without this.
"""

from __future__ import annotations

import atexit
import os
import signal
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")
_received: int | None = None


def install() -> None:
    """Both raise `KeyboardInterrupt` from now on, once; one that is ignored stays so (`nohup`)."""
    atexit.register(_die)  # the first that is registered runs last
    for name in _NAMES:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    global _received
    _received = number
    signal.signal(number, signal.SIG_IGN)  # the same again must not stop the farewell
    raise KeyboardInterrupt


def _die() -> None:
    """End by the signal that came, where one did."""
    if _received is not None:
        signal.signal(_received, signal.SIG_DFL)
        os.kill(os.getpid(), _received)
