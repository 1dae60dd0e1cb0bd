"""How a stage tells a person what it does and where it stopped, without knowing of terminals."""

from __future__ import annotations

import time
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


class Pace:
    """A bar as a line of text: how far, how fast, and how long still.

    Args:
        label, total, done: as `Reporter.bar` takes them.
    """

    def __init__(self, label: str, total: int | None = None, done: int = 0) -> None:
        self._label, self._total, self._before = label, total, done
        self._made = 0
        self._began = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """That many steps are made."""
        self._made += steps

    def __str__(self) -> str:
        took = time.monotonic() - self._began
        rate = self._made / took if took else 0.0
        done, of, left = self._before + self._made, "", ""
        if self._total is not None:
            of = f" of {self._total:,}"
            if rate and done < self._total:
                left = f", {human_time((self._total - done) / rate)} left"
        pace = f"{rate:.1f}/s" if rate >= 0.1 else f"{rate * 60:.1f} a minute"
        return f"{self._label}: {done:,}{of}, {pace}{left}"


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
