"""What a call has to say, as Python says it: a warning that can be filtered, never a print."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sbirctl.api.notebook import NotebookCell, in_notebook
from sbirctl.core.progress import Advance, Pace, Reporter


class SbirctlWarning(UserWarning):
    """Something that may make a result other than expected."""


class PythonReporter(Reporter):
    """Warnings through `warnings`; notes and bars below the cell of a notebook, else nowhere."""

    def __init__(self) -> None:
        self._cell = NotebookCell() if in_notebook() else None

    def note(self, message: str) -> None:
        """See `core.progress.Reporter`."""
        if self._cell is not None:
            self._cell.note(message)

    def warn(self, message: str) -> None:
        """See `core.progress.Reporter`."""
        warnings.warn(message, SbirctlWarning, stacklevel=2)

    @contextmanager
    def bar(self, label: str, total: int | None = None, done: int = 0) -> Iterator[Advance]:
        """See `core.progress.Reporter`."""
        if self._cell is None:
            with super().bar(label, total, done) as advance:
                yield advance
            return
        with self._cell.following(Pace(label, total, done)) as advance:
            yield advance
