"""Edge maps that another program made, found by the names of the photos they belong to."""

from __future__ import annotations

import os
from pathlib import Path, PurePath, PurePosixPath

import numpy as np

from sbirctl.core.errors import CorruptError, MismatchError, MissingError
from sbirctl.core.files import digest_file, digest_json, display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.text import composed
from sbirctl.store.edges import EdgeSource
from sbirctl.store.images import ImageError, load_image
from sbirctl.store.reader import Store

Key = tuple[str, str]  # folder and stem


def edge_folder_source(store: Store, folder: Path, report: Reporter = SILENT) -> EdgeSource:
    """The maps of a folder, one for every photo of the store.

    Args:
        store: whose photos they belong to.
        folder: holds `<class>/<photo's stem>.<any image suffix>`, at any depth.
        report: warned when maps look light on dark.

    Raises:
        MissingError: there is no such folder, or photos without a map.
        MismatchError: two files could be the map of one photo.
    """
    paths = _paths_of_rows(store, _files(folder))
    identity = digest_json([digest_file(path) for path in paths])
    source = EdgeSource("folder", {"files": identity}, lambda rows: _read(store, paths, rows))
    if paths and source.make(np.arange(min(16, len(paths)))).mean() < 128:
        report.warn("The edge maps look light on dark; sketches are dark on white. Invert them.")
    return source


def check_folder(folder: Path) -> None:
    """Refuse a folder of edge maps that is not there.

    Raises:
        MissingError: so it is.
    """
    if not folder.is_dir():
        raise MissingError(
            f"There is no folder {display_path(folder)}.",
            "Name one with a sub-folder for each class.",
        )


def _files(folder: Path) -> dict[Key, Path]:
    check_folder(folder)
    found: dict[Key, Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        key = _key(path.relative_to(folder))
        if key in found:
            raise MismatchError(
                f"{display_path(found[key])} and {display_path(path)} are maps of one photo.",
                "Give a folder with one map a photo.",
            )
        found[key] = path
    return found


def _paths_of_rows(store: Store, files: dict[Key, Path]) -> list[Path]:
    """The map's file of each row of the photos."""
    items = store.items
    photos = items.where("photo")
    owners: dict[int, list[Path]] = {}
    for index in photos.tolist():  # copies share a row, and any one's map will do
        path = files.get(_key(PurePosixPath(os.fsdecode(items.path[index]))))
        owners.setdefault(int(items.row[index]), []).extend([path] if path else [])
    missing = [row for row, paths in owners.items() if not paths]
    if missing:
        first = photos[items.row[photos] == missing[0]][0]
        raise MissingError(
            f"{len(missing):,} of {len(owners):,} photos have no edge map, "
            f"the first: {items.id[first]}.",
            "The maps must lie as <class>/<photo's stem>.png.",
        )
    return [owners[row][0] for row in range(len(owners))]


def _key(path: PurePath) -> Key:
    return composed(path.parent.name), composed(path.stem)


def _read(store: Store, paths: list[Path], rows: np.ndarray) -> np.ndarray:
    maps = []
    for row in rows.tolist():
        try:
            maps.append(load_image(paths[row].read_bytes(), "sketch", store.size))
        except ImageError as error:
            raise CorruptError(
                f"{display_path(paths[row])} cannot be read: {error.message}."
            ) from error
    return np.stack(maps)
