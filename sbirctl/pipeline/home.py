"""What lies in the home folder, how large it is, and what is left over in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sbirctl.core.errors import SbirctlError, UsageError
from sbirctl.core.files import disk_size, forgotten, lock, untouched
from sbirctl.core.home import (
    datasets_dir,
    galleries_dir,
    home,
    receiving_dir,
    remove_folders,
    runs_dir,
)

_LOCK = ".lock"
_FILE = "file"
_RECEIVED = "received in part"


@dataclass(frozen=True)
class HomeEntry:
    """One thing in the home folder.

    Attributes:
        kind: "data set", "run", "gallery", "received in part", "file", or the name of another
            folder.
        name: of the thing, "" for the whole folder.
        bytes: on the disk.
        left_over: why it is of no use, "" where it may be.
        path: where it lies.
    """

    kind: str
    name: str
    bytes: int
    left_over: str
    path: Path


def entries() -> list[HomeEntry]:
    """Everything in the home folder, the largest of each kind first."""
    kinds = {
        datasets_dir(): "data set",
        runs_dir(): "run",
        galleries_dir(): "gallery",
        receiving_dir(): _RECEIVED,
    }
    found = []
    root = home()
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder in kinds and folder.is_dir():
            own = [
                _entry(kinds[folder], place) for place in folder.iterdir() if not _is_lock(place)
            ]
            found += sorted(own, key=lambda one: (-one.bytes, one.name))
        else:
            found.append(HomeEntry(folder.name, "", disk_size(folder), "", folder))
    return found + _half_written(root)


def clean(plan: list[HomeEntry]) -> list[Path]:
    """Remove what is left over; one that is in use meanwhile stays.

    Args:
        plan: entries of `entries`; those that may be of use are passed over.
    """
    removed = []
    for entry in plan:
        if not entry.left_over:
            continue
        if entry.kind == _FILE:
            entry.path.unlink(missing_ok=True)
            removed.append(entry.path)
            continue
        try:
            remove_folders([entry.path], partial(_held, entry.kind))
        except SbirctlError:  # in use, or no longer left over
            continue
        removed.append(entry.path)
    return removed


@contextmanager
def _held(kind: str, place: Path) -> Iterator[None]:
    """Keep others from writing to an entry that is still left over.

    Raises:
        UsageError: it is not.
        SbirctlError: somebody writes to it.
    """
    with lock(_lock(kind, place), busy=f"{place.name} is in use"):
        if not _entry(kind, place).left_over:
            raise UsageError(f"{place.name} is of use again.", "Leave it.")
        yield


def _lock(kind: str, place: Path) -> Path:
    """What whoever writes to an entry holds."""
    return place.with_name(f".{place.name}.lock") if kind == _RECEIVED else place / _LOCK


def _is_lock(place: Path) -> bool:
    """Whether it is one that lies beside what it is for."""
    return place.parent == receiving_dir() and place.name.startswith(".")


def _half_written(root: Path) -> list[HomeEntry]:
    """Files that a killed call was writing, wherever they lie."""
    why = "half-written by a call that was killed"
    return [
        HomeEntry(_FILE, path.name, disk_size(path), why, path)
        for path in sorted(forgotten(root.rglob(".*")))
    ]


def _entry(kind: str, place: Path) -> HomeEntry:
    left_over = ""
    if place.is_dir() and not place.is_symlink():
        inside = {path.name for path in place.iterdir()} - {_LOCK}
        if kind == _RECEIVED:
            left_over = "a pull or unpack that was stopped a day ago or more" * untouched(place)
        elif not inside:
            left_over = f"an empty {kind}"
    return HomeEntry(kind, place.name, disk_size(place), left_over, place)
