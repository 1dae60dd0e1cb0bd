"""How often one address may ask: a bucket that fills slowly and each question empties by one."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from sbirctl.galleries.server.http_errors import HttpError

_ADDRESSES = 4096


class Rate:
    """A token bucket an address.

    Args:
        rate: questions a second in the long run.
        burst: how many at once.
        clock: seconds.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Count one question.

        Raises:
            HttpError: there were too many.
        """
        now = self._clock()
        left, then = self._left.pop(address, (float(self._burst), now))
        left = min(self._burst, left + (now - then) * self._rate)
        allowed = left >= 1
        self._left[address] = (left - allowed, now)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)
        if not allowed:
            raise HttpError(429, "That is too often.", "Wait a moment.", retry=1)
