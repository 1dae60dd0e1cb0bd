"""A run that ends without warning, for the tests of resuming."""

from __future__ import annotations

from contextlib import contextmanager

from sbirctl.core.progress import Reporter


class Crash(Exception):
    pass


class CrashingReporter(Reporter):
    """Ends the run after so many steps, as a power cut would: nothing is tidied up."""

    def __init__(self, steps):
        self.left = steps

    @contextmanager
    def bar(self, label, total=None, done=0):
        def advance(steps=1):
            self.left -= 1
            if self.left <= 0:
                raise Crash

        yield advance
