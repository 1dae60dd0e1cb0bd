"""How a stage tells a person what it does, without knowing about terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[..., None]


class Reporter:
    """Says nothing; the command line's reporter writes to stderr.

    Stages take one as `report` and never print by themselves.
    """

    def note(self, message: str) -> None:
        """Something worth knowing."""

    def warn(self, message: str) -> None:
        """Something that may make the result other than expected."""

    @contextmanager
    def bar(self, label: str, total: int | None = None, done: int = 0) -> Iterator[Advance]:
        """A progress bar; the yielded function takes the number of steps made (default 1).

        Args:
            label: what is being done, in the gerund ("embedding photos").
            total: number of steps, or None when it is not known.
            done: steps already made by an earlier, stopped call.
        """

        def advance(steps: int = 1) -> None:
            """Nothing to draw."""

        yield advance


class Listener(Reporter):
    """Hands on what is said, and knows whether anything was.

    Args:
        to: who is told.
    """

    def __init__(self, to: Reporter) -> None:
        self._to = to
        self.heard = False

    def note(self, message: str) -> None:
        self.heard = True
        self._to.note(message)

    def warn(self, message: str) -> None:
        self.heard = True
        self._to.warn(message)


SILENT = Reporter()
