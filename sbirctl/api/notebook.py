"""How far a call is, below the cell of a notebook that made it.

The text is an output that is replaced in place, which every front end of Jupyter can; widgets,
which rich and tqdm draw with, need a package of their own and do not last in the saved file.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sbirctl.core.progress import Advance, Pace

_AFTER = 1.0  # seconds: what is done sooner shows nothing
_EVERY = 0.5  # seconds between two states


def in_notebook() -> bool:
    """Whether this process is a kernel of Jupyter, whoever shows its outputs."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class NotebookCell:
    """What one call says: its notes, a line each, and how far it is."""

    def __init__(self) -> None:
        self._notes: list[str] = []
        self._pace: Pace | None = None
        self._shown: Any = None
        self._told = time.monotonic() + _AFTER - _EVERY

    def note(self, message: str) -> None:
        """A line that stays; shown where the call takes long enough to show anything."""
        self._notes.append(message)
        if self._shown is not None:
            self._show()

    @contextmanager
    def following(self, pace: Pace) -> Iterator[Advance]:
        """Show how far it is while it goes on; its last state stays only if nothing else does."""
        self._pace = pace

        def advance(steps: int = 1) -> None:
            pace.advance(steps)
            if time.monotonic() - self._told >= _EVERY:
                self._show()

        try:
            yield advance
        finally:
            if self._notes:
                self._pace = None
            if self._shown is not None:
                self._show()

    def _show(self) -> None:
        self._told = time.monotonic()
        lines = [*self._notes, *([str(self._pace)] if self._pace else [])]
        output = {"text/plain": "\n".join(lines)}
        if self._shown is None:
            show = importlib.import_module("IPython.display").display
            self._shown = show(output, raw=True, display_id=True)
        else:
            self._shown.update(output, raw=True)
