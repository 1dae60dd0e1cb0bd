"""Reading a prepared data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import CorruptError, MissingError, UsageError, nearest
from sbirctl.core.files import display_path, read_json
from sbirctl.core.home import datasets_dir
from sbirctl.store.manifest import MODALITIES, Items, Modality, items_from_json
from sbirctl.store.mapped import Mapped
from sbirctl.store.pixels import DAMAGE, SCHEMA, checksum_name

MANIFEST = "manifest.json"
IMAGES = "images.h5"
EDGE_INDEX = "edges.json"
_AGAIN = "Prepare it again: `sbirctl prepare …` as before with --fresh."
REMAKE_EDGES = "Remove that file and make it again: `sbirctl prepare … --edges …` as before."

Rows = Sequence[int] | np.ndarray


class Store:
    """A prepared data set: its manifest now, its pixels when they are asked for.

    Files are opened by the process that reads, never before a fork, and do not cross a pickle: a
    store can be handed to loader workers however they start.

    Attributes:
        name: name of the data set.
        folder: where it lies.
        digest: its identity, see `manifest.store_digest`.
        size: side of the images in pixels.
        settings: how the images were made: size, max_pixels.
        manifest: the whole manifest, without the items' columns.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        try:
            self.name: str = manifest["name"]
            self.digest: str = manifest["digest"]
            self.settings: dict[str, Any] = manifest["settings"]
            self.size = int(self.settings["size"])
            self._columns: dict[str, Any] = manifest.pop("items")
        except (KeyError, TypeError) as error:
            raise CorruptError(
                f"{display_path(folder / MANIFEST)} lacks {error}.", "Prepare it again: --fresh."
            ) from error
        self.folder = folder
        self.manifest = manifest
        self._open: dict[str, Mapped] = {}
        self._process = 0
        self._edges: dict[str, Any] | None = None

    @classmethod
    def open(cls, name_or_path: str | Path) -> Store:
        """Open a prepared data set by its name, or by the path of its folder.

        Raises:
            MissingError: it has not been prepared, or not to the end.
            CorruptError: its manifest is damaged, or another version made it.
        """
        folder = _find(name_or_path)
        manifest = read_json(folder / MANIFEST)
        schema = manifest.get("schema") if isinstance(manifest, dict) else None
        if schema != SCHEMA:
            raise _other_version(folder, schema)
        return cls(folder, manifest)

    @cached_property
    def items(self) -> Items:
        """The entries; made from the manifest's columns on first use."""
        items = items_from_json(self._columns)
        self._columns = {}
        return items

    def read(self, modality: Modality, rows: Rows) -> np.ndarray:
        """Pixels of some rows, in the order asked for; rows may repeat.

        Args:
            modality: "photo" or "sketch".
            rows: (n,) integers, `items.row` of the entries wanted.

        Returns:
            (n, size, size, C) uint8; C = 3 for photos, 1 (grey) for sketches.

        Raises:
            CorruptError: the image file is damaged or belongs to another manifest.
        """
        return self._take(IMAGES, modality, rows)

    @property
    def edges(self) -> dict[str, Any] | None:
        """Which edge maps `read_edges` gives: name, method, parameters, pixels (a digest).

        None where the store has none. Those that the last `prepare --edges` chose; once found they
        stay the same for this object.
        """
        if self._edges is None:
            path = self.folder / EDGE_INDEX
            index = read_json(path) if path.exists() else {}
            if index.get("store") == self.digest and index.get("schema") == SCHEMA:
                self._edges = {"name": index["current"], **index["maps"][index["current"]]}
        return self._edges

    def read_edges(self, rows: Rows) -> np.ndarray:
        """Edge maps of some rows of the photos.

        Returns:
            (n, size, size, 1) uint8, dark on white.

        Raises:
            MissingError: the store has none.
        """
        name = self.require_edges()["name"]
        return self._take(edges_file(self.folder, name).name, "edge", rows)

    def edge_checksums(self) -> np.ndarray:
        """(photo rows,) uint32: CRC-32 of every edge map, as it was written; see `read_edges`."""
        file = edges_file(self.folder, self.require_edges()["name"]).name
        return self._take(file, checksum_name("edge"), np.arange(self.rows("photo")))

    def require_edges(self) -> dict[str, Any]:
        """`edges` of a store that has them.

        Raises:
            MissingError: it has none.
        """
        if self.edges is None:
            raise MissingError(
                f"The data set {self.name!r} holds no edge maps.",
                f"Type `sbirctl prepare {self.name} --edges gb`.",
            )
        return self.edges

    def checksums(self, modality: Modality) -> np.ndarray:
        """(rows,) uint32: CRC-32 of the pixels of every row, as they were written."""
        rows = np.arange(self.rows(modality))
        return self._take(IMAGES, checksum_name(modality), rows)

    def rows(self, modality: Modality) -> int:
        """How many different images of a modality the store holds."""
        return int(self.manifest["rows"][modality])

    def _take(self, file: str, name: str, rows: Rows) -> np.ndarray:
        wanted = np.asarray(rows, dtype=np.int64).reshape(-1)
        count, row, kind = self._expected(name)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < count:
            raise IndexError(f"rows {wanted.min()} to {wanted.max()} of {count} {name} rows")
        if not count:
            return np.empty((0, *row), dtype=kind)
        return self._array(file, name).take(wanted)

    def _array(self, file: str, name: str) -> Mapped:
        if self._process != os.getpid():
            self._open, self._process = {}, os.getpid()
        if name not in self._open:
            self._open[name] = self._map(self.folder / file, name)
        return self._open[name]

    def _map(self, path: Path, name: str) -> Mapped:
        """An array, mapped into memory from where h5py says it begins."""
        import h5py

        try:
            with h5py.File(path, "r") as file:
                dataset, digest = file[name], file.attrs["digest"].decode()
                shape, kind, offset = dataset.shape, dataset.dtype, dataset.id.get_offset()
            if digest != self.digest:
                raise CorruptError(
                    f"{display_path(path)} belongs to another manifest.",
                    "It was prepared anew meanwhile: start again.",
                )
            rows, row, expected = self._expected(name)
            if shape != (rows, *row) or kind != expected:
                raise ValueError(f"{name} is {shape} {kind}, not {(rows, *row)} {expected}")
            if offset is None:
                raise ValueError(f"{name} does not lie in one piece")
            return Mapped(path, shape, kind, offset)
        except DAMAGE as error:
            raise _unreadable(path, error) from error

    def _expected(self, name: str) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
        """How many rows an array has, and shape and type of one."""
        rows = self.rows("sketch" if name in ("sketch", checksum_name("sketch")) else "photo")
        if name in [checksum_name(one) for one in (*MODALITIES, "edge")]:
            return rows, (), np.dtype(np.uint32)
        return rows, (self.size, self.size, 3 if name == "photo" else 1), np.dtype(np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}, "_process": 0}


def _other_version(folder: Path, schema: object) -> CorruptError:
    what = f"The data set in {display_path(folder)}"
    stated = f"its schema is {schema}, this version reads {SCHEMA}"
    if isinstance(schema, int) and schema < SCHEMA:
        return CorruptError(f"{what} was made by an older sbirctl ({stated}).", _AGAIN)
    if isinstance(schema, int):
        return CorruptError(f"{what} was made by a newer sbirctl ({stated}).", "Update sbirctl.")
    return CorruptError(f"{what} has a damaged manifest.", _AGAIN)


def _unreadable(path: Path, error: Exception) -> CorruptError:
    hint = "Prepare it again: --fresh." if path.name == IMAGES else REMAKE_EDGES
    return CorruptError(f"{display_path(path)} cannot be read: {error}.", hint)


def store_folder(name: str) -> Path:
    """Where the data set of that name lies or will lie.

    Raises:
        UsageError: the name would not make a plain folder.
    """
    if not name or name.startswith((".", "-")) or any(c in '/\\:\0\n\r\t*?"<>|' for c in name):
        raise UsageError(
            f"{name!r} cannot name a data set.", "Use letters, digits, '-', '_' and '.'."
        )
    return datasets_dir() / name


def edges_file(folder: Path, name: str) -> Path:
    """Where a store keeps the edge maps of that name."""
    return folder / f"edges-{name}.h5"


def prepared() -> tuple[str, ...]:
    """Names of the prepared data sets, sorted."""
    return tuple(sorted(path.parent.name for path in datasets_dir().glob(f"*/{MANIFEST}")))


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path).expanduser()
    if (isinstance(name_or_path, Path) or os.sep in name_or_path) and path.is_dir():
        folder, name = path, path.name
    else:
        name = str(name_or_path)
        folder = datasets_dir() / name
    if (folder / MANIFEST).is_file():
        return folder
    if folder.is_dir():
        raise MissingError(
            f"The data set {name!r} is not prepared to the end.",
            f"Type `sbirctl prepare {name} …` again as before; it continues.",
        )
    raise MissingError(
        f"There is no prepared data set {name!r}.",
        f"Type `sbirctl prepare {name}`; it says what it needs. {_others(name)}".strip(),
    )


def _others(name: str) -> str:
    known = prepared()
    return nearest(name, known) if known else ""
