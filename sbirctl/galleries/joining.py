"""Several galleries searched as one, where one model made the vectors of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import MismatchError
from sbirctl.core.files import display_path
from sbirctl.datasets.readers.tree import File
from sbirctl.galleries.engines import ID, Finder, Nearest
from sbirctl.galleries.gallery import GalleryInfo
from sbirctl.galleries.searcher import Narrowed, Searcher


def join(searchers: Sequence[Searcher]) -> Searcher:
    """One searcher over open galleries; a photo that lies in several is found once.

    Raises:
        MismatchError: different models made their vectors, whose scores say nothing of each other.
    """
    first, *others = searchers
    if not others:
        return first
    for other in others:
        if other.embedder.record.comparable != first.embedder.record.comparable:
            raise MismatchError(
                f"The galleries {_named(first)} and {_named(other)} were made by different models.",
                "Search them one by one, or index one of them again with the other's --model.",
            )

    def files_of(ids: Sequence[str]) -> dict[str, tuple[File, ...]]:
        found: dict[str, set[File]] = {}
        for one in searchers:
            for name, files in one.files_of(ids).items():
                found.setdefault(name, set()).update(files)
        return {
            name: tuple(sorted(files, key=lambda file: file.path)) for name, files in found.items()
        }

    def narrow(folders: Sequence[bytes]) -> Narrowed | None:
        parts = [one.narrowed(tuple(folders)) for one in searchers]
        if not all(parts):
            return None
        known = [part for part in parts if part]
        return _Joined([part for part, _ in known]), sum(count for _, count in known)

    info = _JoinedInfo(
        " + ".join(one.info.name for one in searchers),
        sum(one.info.photos for one in searchers),
        first.info.model,
        first.info.dim,
        "several",
        members=tuple(one.info.name for one in searchers),
    )
    engine = _Joined([one.engine for one in searchers])
    return Searcher(
        info,
        first.embedder,
        engine,
        files_of,
        lambda: any(one.stale() for one in searchers),
        narrow,
        lambda: sorted({folder for one in searchers for folder in one.sub_folders()}),
    )


def _named(searcher: Searcher) -> str:
    return f"{display_path(searcher.info.name)} ({searcher.info.model})"


@dataclass(frozen=True)
class _JoinedInfo(GalleryInfo):
    members: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """See `GalleryInfo.names`."""
        return self.members

    @property
    def renewal(self) -> str:
        """See `GalleryInfo.renewal`."""
        return "`sbirctl index --gallery NAME`, for each of the galleries"


class _Joined:
    """The engines of several galleries."""

    def __init__(self, engines: Sequence[Finder]) -> None:
        self._engines = engines

    def search(self, queries: np.ndarray, k: int) -> Nearest:
        """See `Finder.search`; equal scores come in the order of the ids."""
        parts = [engine.search(queries, k) for engine in self._engines]
        ids = np.concatenate([part.ids for part in parts], axis=1)
        scores = np.concatenate([part.scores for part in parts], axis=1)
        found = Nearest(
            np.zeros((len(queries), k), dtype=ID), np.full((len(queries), k), -np.inf, np.float32)
        )
        for i in range(len(queries)):
            order = np.lexsort((ids[i], -scores[i]))
            _, at = np.unique(ids[i][order], return_index=True)
            kept = order[np.sort(at)]
            kept = kept[ids[i][kept] != b""][:k]
            found.ids[i, : len(kept)], found.scores[i, : len(kept)] = ids[i][kept], scores[i][kept]
        return found

    def vector(self, id: bytes) -> np.ndarray | None:
        """See `Finder.vector`."""
        found = (engine.vector(id) for engine in self._engines)
        return next((vector for vector in found if vector is not None), None)
