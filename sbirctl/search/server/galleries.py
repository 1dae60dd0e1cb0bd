"""The galleries this server shows: opened when asked for, noticed when they change or go."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from sbirctl.search.gallery import GalleryInfo, list_galleries
from sbirctl.search.searcher import Searcher
from sbirctl.search.server.refusal import RefusedError


class Galleries:
    """Searchers by name. Safe among threads; opening one waits for another that is being opened.

    A name that a request brings is only ever looked up among these, so it opens nothing else.

    Args:
        chosen: the only galleries to show, the first by default; none for all in the home folder.
        opener: opens a gallery by name.
        lister: what there is in the home folder.
        most: kept open at a time.
    """

    def __init__(
        self,
        chosen: Sequence[str] = (),
        *,
        opener: Callable[[str], Searcher] = Searcher.open,
        lister: Callable[[], list[GalleryInfo]] = list_galleries,
        most: int = 4,
    ) -> None:
        self._chosen = tuple(dict.fromkeys(chosen))
        self._opener = opener
        self._lister = lister
        self._most = most
        self._open: OrderedDict[str, Searcher] = OrderedDict()
        self._lock = threading.Lock()

    def infos(self) -> list[GalleryInfo]:
        """The galleries that may be asked for, the default first where galleries were chosen."""
        found = {info.name: info for info in self._lister()}
        if not self._chosen:
            return list(found.values())
        # one that is not in the home folder (a remote one) is known once it is open
        found |= {name: one.info for name, one in self._open.items() if name in self._chosen}
        return [found[name] for name in self._chosen if name in found]

    def get(self, name: str) -> Searcher:
        """The gallery of that name; "" for the default.

        Raises:
            RefusedError: it is not shown here, or not there any more.
            SbirctlError: it cannot be opened.
        """
        with self._lock:
            shown = [info.name for info in self.infos()]
            name = name or (shown or [""])[0]
            if name not in shown and name not in self._chosen:
                self._refuse(name)
            one = self._open.get(name)
            if one is None or one.stale():
                self._open.pop(name, None)
                one = self._opener(name)
            self._open[name] = one
            self._open.move_to_end(name)
            while len(self._open) > self._most:
                self._open.popitem(last=False)
            return one

    def _refuse(self, name: str) -> None:
        if self._open.pop(name, None) is not None:
            raise RefusedError(
                410,
                f"The gallery {name!r} is not there any more.",
                "Choose another, or make it again with `sbirctl index`.",
            )
        raise RefusedError(404, f"There is no gallery {name[:100]!r} here.", "Choose another.")
