"""Small pictures of a gallery's photos, made once and kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable


class Thumbnails:
    """A bounded cache by digest; those not asked for longest leave first. Safe among threads.

    Args:
        room: bytes that are kept.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._size = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The picture of that key, made by `make` where it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            if key not in self._kept and len(made) <= self._room:
                self._kept[key] = made
                self._size += len(made)
            while self._size > self._room:
                _, gone = self._kept.popitem(last=False)
                self._size -= len(gone)
        return made
