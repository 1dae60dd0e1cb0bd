"""Which files hold the photos of a gallery: in the gallery's folder, or beside remote vectors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from sbirctl.datasets.readers.tree import File
from sbirctl.galleries.listing import Entry

Files = tuple[File, ...]


class Catalogue(Protocol):
    """Photos by id."""

    def files(self, ids: Sequence[str]) -> dict[str, Files]:
        """The files of some photos, sorted by path; unknown ids are left out."""
        ...


class Listed:
    """The entries of a gallery's folder."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        found: defaultdict[str, list[File]] = defaultdict(list)
        for entry in entries:
            if not entry.reason:
                found[entry.id].append(entry.file)
        self._files = {name: tuple(files) for name, files in found.items()}

    def files(self, ids: Sequence[str]) -> dict[str, Files]:
        """See `Catalogue.files`."""
        return {name: self._files[name] for name in ids if name in self._files}


class Asked:
    """What an engine elsewhere keeps with its vectors.

    Args:
        ask: ids to [[quoted path, size, stamp], …].
    """

    def __init__(self, ask: Callable[[Sequence[str]], Mapping[str, list[Any]]]) -> None:
        self._ask = ask

    def files(self, ids: Sequence[str]) -> dict[str, Files]:
        """See `Catalogue.files`."""
        return {
            name: tuple(File(unquote_to_bytes(path), size, stamp) for path, size, stamp in files)
            for name, files in self._ask(ids).items()
            if files
        }
