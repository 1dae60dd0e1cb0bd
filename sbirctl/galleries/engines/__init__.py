"""Engines that find the nearest vectors: one small protocol, one file each.

An engine holds unit vectors of float32 under ids (hexadecimal digests as `S64`). What it finds may
be approximate; metrics never go through one.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np

from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.galleries.gallery import Gallery

ID = "S64"
ENGINE_FOLDER = re.compile(r"\.?engine-[0-9a-f]{16}")
ENGINE_FILES = ("index.faiss", "ids.npy")


@dataclass(frozen=True)
class Nearest:
    """What an engine found for q queries.

    Attributes:
        ids: (q, k) S64, best first; b"" where there are fewer.
        scores: (q, k) float32, cosine (as the engine sees it); -inf where there is none.
    """

    ids: np.ndarray
    scores: np.ndarray


class Finder(Protocol):
    """What finds the nearest vectors; may be called from several threads."""

    def search(self, queries: np.ndarray, k: int) -> Nearest:
        """The k nearest of (q, dim) float32 unit vectors by cosine."""
        ...

    def vector(self, id: bytes) -> np.ndarray | None:
        """(dim,) float32 unit vector, as near as it is kept; None for unknown ids."""
        ...


class Engine(Finder, Protocol):
    """A set of vectors that can be searched and changed.

    Attributes:
        name: the name of its file.
        removes: whether it can remove. One that cannot is built anew by `bring_up_to_date`.
        keeps: what it searches: the gallery's own vectors where they lie, files of its own in a
            folder (then it is a `SavedEngine`), or what a server has.
    """

    name: ClassVar[str]
    keeps: ClassVar[Literal["vectors", "folder", "server"]]
    removes: bool

    def __init__(self, spec: str, dim: int) -> None: ...

    @classmethod
    def check(cls, spec: str) -> None:
        """Say what is wrong with a spec, before hours of work are put into vectors for it.

        Raises:
            UsageError: there is no such kind or address.
            MissingError: a library is not installed, or nothing answers there.
        """
        ...

    def __len__(self) -> int: ...

    def ids(self) -> np.ndarray:
        """(n,) S64: what it holds, in any order."""
        ...

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add (n,) S64 ids, none of which it holds, with their (n, dim) float32 unit vectors."""
        ...

    def remove(self, ids: np.ndarray) -> None:
        """Remove ids it holds."""
        ...

    @classmethod
    def open(cls, gallery: Gallery) -> Engine:
        """The engine of a gallery.

        Raises:
            CorruptError: its files are damaged.
            MissingError: a library is not installed, or nothing answers there.
        """
        ...


class SavedEngine(Engine, Protocol):
    """An engine with files of its own, called as in `ENGINE_FILES`."""

    def save(self, folder: Path) -> None:
        """Write everything into an existing, empty folder."""
        ...

    @classmethod
    def load(cls, folder: Path, spec: str, dim: int) -> SavedEngine:
        """What `save` wrote.

        Raises:
            CorruptError: it is damaged.
        """
        ...


ENGINES: Registry[type[Engine]] = Registry(
    "engine", "sbirctl.galleries.engines", group="sbirctl.engines"
)
EXACT = "exact"
GROWN = 4


def engine_class(spec: str) -> type[Engine]:
    """The class of an engine by what a person types: a name, `name:kind`, or an address.

    Raises:
        UsageError: there is no such engine.
    """
    return ENGINES.get(spec.partition(":")[0].removesuffix("+https"))


def bring_up_to_date(
    engine: Engine, spec: str, ids: np.ndarray, vectors: np.ndarray, report: Reporter = SILENT
) -> Engine:
    """An engine that holds just these vectors: the given one changed, or one built anew.

    One that grows to `GROWN` times its size is built anew too: what it learnt of few photos does
    not suit many.

    Args:
        ids: (n,) S64, each once.
        vectors: (n, dim) float32 unit vectors.
    """
    held = engine.ids()
    gone = held[~np.isin(held, ids)]
    anew = 0 < GROWN * len(held) < len(ids) and engine.keeps != "server"
    if len(gone) and not engine.removes:
        report.note(f"{spec} cannot remove photos; it is built anew.")
        anew = True
    if anew:
        engine, held, gone = type(engine)(spec, vectors.shape[1]), held[:0], gone[:0]
    if len(gone):
        engine.remove(gone)
    new = ~np.isin(ids, held)
    if new.any():
        engine.add(ids[new], vectors[new])
    return engine


def recall(engine: Engine, exact: Engine, queries: np.ndarray, k: int) -> float:
    """Share of the k nearest that an engine finds, in the mean over (q, dim) queries."""
    wanted, found = exact.search(queries, k).ids, engine.search(queries, k).ids
    shares = [np.isin(a[a != b""], b).mean() for a, b in zip(wanted, found, strict=True)]
    return float(np.mean(shares))


def remove_engine(folder: Path) -> None:
    """Remove the files an engine keeps in a folder, and the folder where nothing else is in it."""
    for name in ENGINE_FILES:
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
