"""How a stage tells a person what it does and where it stopped, without knowing of terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sbirctl.core.errors import interruption

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


def human_time(seconds: float) -> str:
    """A duration for people: 0:42, 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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


@contextmanager
def going_on(where: str) -> Iterator[None]:
    """For work that the same command continues: an interruption says where it stands.

    Args:
        where: "while preparing sketchy", "after epoch 3 of 10".

    Raises:
        KeyboardInterrupt: with what to say and what to type next.
    """
    try:
        yield
    except BaseException as error:
        stop = interruption(error)
        if stop is None:
            raise
        if stop.args:  # it was said further inside
            raise stop from None
        raise KeyboardInterrupt(f"Stopped {where}.", "Type the same command to go on.") from stop
