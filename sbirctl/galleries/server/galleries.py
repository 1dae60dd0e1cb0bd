"""The galleries this server shows: opened when asked for, noticed when they change or go."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from sbirctl.galleries.gallery import GalleryInfo, list_galleries
from sbirctl.galleries.joining import join
from sbirctl.galleries.searcher import Searcher
from sbirctl.galleries.server.http_errors import HttpError


class Galleries:
    """Searchers by name. Safe among threads; only opening one waits for another being opened.

    A name that a request brings is only ever looked up among these, so it opens nothing else.

    Args:
        chosen: the only galleries to show, the first by default; none for all in the home folder.
        opener: opens a gallery by name.
        lister: what there is in the home folder.
        most: kept open at a time; those not asked for longest leave first.
        patience: seconds for which a gallery is taken to be what it was.
    """

    def __init__(
        self,
        chosen: Sequence[str] = (),
        *,
        opener: Callable[[str], Searcher] = Searcher.open,
        lister: Callable[[], list[GalleryInfo]] = list_galleries,
        most: int = 4,
        patience: float = 1.0,
    ) -> None:
        self._chosen = tuple(dict.fromkeys(chosen))
        self._opener = opener
        self._lister = lister
        self._most = most
        self._patience = patience
        self._open: OrderedDict[str, tuple[Searcher, float]] = OrderedDict()
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._opening = threading.Lock()

    def infos(self) -> list[GalleryInfo]:
        """The galleries that may be asked for, the default first; no damaged ones."""
        found = {info.name: info for info in self._lister() if not info.damaged}
        if not self._chosen:
            return list(found.values())
        with self._lock:  # one that is not in the home folder (a remote one) is known once open
            found |= {name: one.info for name, (one, _) in self._open.items() if "://" in name}
        return [found[name] for name in self._chosen if name in found]

    def get(self, name: str) -> Searcher:
        """The gallery of that name; "" for the default.

        Raises:
            HttpError: it is not shown here, or not there any more.
            SbirctlError: it cannot be opened.
        """
        name = self._shown(name)
        return self._kept(name) or self._opened(name)

    def together(self, names: Sequence[str]) -> Searcher:
        """Several galleries as one; none for the default.

        Raises:
            HttpError: as `get`, or more than are kept open.
            MismatchError: different models made them.
            SbirctlError: one cannot be opened.
        """
        wanted = list(dict.fromkeys(names)) or [""]
        if len(wanted) > self._most:
            raise HttpError(400, f"At most {self._most} galleries are searched at once.")
        return join([self.get(name) for name in wanted])

    def with_model_of(self, info: GalleryInfo, infos: Sequence[GalleryInfo]) -> list[str]:
        """The other galleries that can be searched together with one; none where too many can."""
        found = [
            one.name
            for one in infos
            if one.name != info.name and info.model_key and one.model_key == info.model_key
        ]
        return found if len(found) < self._most else []

    def _shown(self, name: str) -> str:
        names = {info.name: None for info in self.infos()}
        names |= {one: None for one in self._chosen if "://" in one}
        default = self._chosen[0] if self._chosen else next(iter(names), "")
        wanted = name or default
        with self._lock:
            self._seen.update(names)
            if wanted not in names:
                self._open.pop(wanted, None)
        if wanted in names:
            return wanted
        if wanted in self._seen:
            raise HttpError(
                410,
                f"The gallery {wanted!r} is not there any more.",
                "Choose another, or make it again with `sbirctl index`.",
            )
        if not wanted:
            raise HttpError(404, "There is no gallery.", "Make one: `sbirctl index FOLDER`.")
        raise HttpError(404, f"There is no gallery {wanted[:100]!r} here.", "Choose another.")

    def _kept(self, name: str) -> Searcher | None:
        with self._lock:
            one, checked = self._open.get(name, (None, 0.0))
        now = time.monotonic()
        if one is None or (now - checked >= self._patience and one.stale()):
            return None
        self._keep(name, one, checked if now - checked < self._patience else now)
        return one

    def _opened(self, name: str) -> Searcher:
        with self._opening:
            one = self._kept(name) or self._opener(name)  # another thread may have been faster
            self._keep(name, one, time.monotonic())
            return one

    def _keep(self, name: str, one: Searcher, checked: float) -> None:
        with self._lock:
            self._open[name] = (one, checked)
            self._open.move_to_end(name)
            while len(self._open) > self._most:
                self._open.popitem(last=False)
