"""Reading a prepared data set."""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from sbirctl.core.errors import CorruptError, MismatchError, MissingError, UsageError, nearest
from sbirctl.core.files import display_path, read_json
from sbirctl.core.forms import Each, check_form
from sbirctl.core.home import datasets_dir, is_short
from sbirctl.retrieval.provenance import EdgeMaps
from sbirctl.store.arrays import Rows, StoredArray
from sbirctl.store.manifest import FORM, Items, Modality, items_from_json
from sbirctl.store.pixels import SCHEMA, checksum_name

MANIFEST = "manifest.json"
IMAGES = "images.h5"
EDGE_INDEX = "edges.json"
_AGAIN = "Prepare it again: `sbirctl prepare …` as before with --fresh."
REMAKE_EDGES = "Remove that file and make it again: `sbirctl prepare … --edges …` as before."

_EDGE_NAME = re.compile(r"[\w-]{1,100}")  # it becomes part of a file's name
_EDGE_FORM = {
    "schema": int,
    "store": str,
    "current": str,
    "maps": Each({"method": str, "parameters": dict, "pixels": str}),
}


class EdgeRecord(TypedDict):
    """What `edges.json` says of one set of maps, see `EdgeMaps`."""

    method: str
    parameters: dict[str, Any]
    pixels: str


class EdgeIndex(TypedDict):
    """What `edges.json` holds: whose photos', which set is in use, all by name."""

    schema: int
    store: str
    current: str
    maps: dict[str, EdgeRecord]


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
        self.name: str = manifest["name"]
        self.digest: str = manifest["digest"]
        self.settings: dict[str, Any] = manifest["settings"]
        self.size = int(self.settings["size"])
        self._columns: dict[str, Any] = manifest.pop("items")
        self.folder = folder
        self.manifest = manifest
        self._arrays: dict[str, StoredArray] = {}
        self._edges: EdgeMaps | None = None

    @classmethod
    def open(cls, name_or_path: str | Path) -> Store:
        """Open a prepared data set by its name, or by the path of its folder.

        Raises:
            MissingError: it has not been prepared, or not to the end.
            MismatchError: another version of this program made it.
            CorruptError: its manifest is damaged.
        """
        folder = find_store(name_or_path)
        manifest = read_json(folder / MANIFEST)
        schema = manifest.get("schema") if isinstance(manifest, dict) else None
        if not isinstance(schema, int):
            raise CorruptError(f"{display_path(folder / MANIFEST)} is no manifest.", _AGAIN)
        if schema != SCHEMA:
            raise _other_version(folder, schema)
        check_form(manifest, FORM, folder / MANIFEST, _AGAIN)
        check_form(manifest["counts"], {"": dict}, folder / MANIFEST, _AGAIN)
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
        return self.images(modality).read(rows)

    def images(self, modality: Modality) -> StoredArray:
        """The pixels of all images of a modality, see `read`."""
        channels = 3 if modality == "photo" else 1
        return self._array(IMAGES, modality, modality, (self.size, self.size, channels))

    @property
    def edges(self) -> EdgeMaps | None:
        """Which edge maps `read_edges` gives.

        None where the store has none. Those that the last `prepare --edges` chose; once found they
        stay the same for this object.
        """
        if self._edges is None:
            path = self.folder / EDGE_INDEX
            index = read_edge_index(path)
            if index["store"] == self.digest:
                kept = index["maps"][index["current"]]
                self._edges = EdgeMaps(
                    index["current"], kept["method"], kept["parameters"], kept["pixels"]
                )
        return self._edges

    def read_edges(self, rows: Rows) -> np.ndarray:
        """Edge maps of some rows of the photos.

        Returns:
            (n, size, size, 1) uint8, dark on white.

        Raises:
            MissingError: the store has none.
        """
        return self.edge_maps().read(rows)

    def edge_maps(self) -> StoredArray:
        """The edge maps of all photos, see `read_edges`."""
        return self._array(self._edges_name(), "edge", "photo", (self.size, self.size, 1))

    def edge_checksums(self) -> np.ndarray:
        """(photo rows,) uint32: CRC-32 of every edge map, as it was written; see `read_edges`."""
        return self._checksums(self._edges_name(), "edge", "photo")

    def require_edges(self) -> EdgeMaps:
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
        return self._checksums(IMAGES, modality, modality)

    def rows(self, modality: Modality) -> int:
        """How many different images of a modality the store holds."""
        return int(self.manifest["rows"][modality])

    def _edges_name(self) -> str:
        return edges_file(self.folder, self.require_edges().name).name

    def _checksums(self, file: str, name: str, modality: Modality) -> np.ndarray:
        array = self._array(file, checksum_name(name), modality, (), np.uint32)
        return array.read(np.arange(self.rows(modality)))

    def _array(
        self,
        file: str,
        name: str,
        modality: Modality,
        row: tuple[int, ...],
        kind: type[np.generic] = np.uint8,
    ) -> StoredArray:
        """An array of one of the files, with a row of that shape for each image of a modality."""
        if name not in self._arrays:
            hint = _AGAIN if file == IMAGES else REMAKE_EDGES
            shape = (self.rows(modality), *row)
            self._arrays[name] = StoredArray(
                self.folder / file, name, shape, kind, self.digest, hint
            )
        return self._arrays[name]


def read_edge_index(path: Path) -> EdgeIndex:
    """Which edge maps a store has; none where there is no index of this version.

    Raises:
        CorruptError: it is damaged.
    """
    index = read_json(path) if path.exists() else {}
    if isinstance(index, dict) and index.get("schema", SCHEMA) != SCHEMA:
        index = {}
    if index != {}:
        check_form(index, _EDGE_FORM, path, REMAKE_EDGES)
        names = {index["current"], *index["maps"]}
        if index["current"] not in index["maps"] or not all(map(_EDGE_NAME.fullmatch, names)):
            raise CorruptError(
                f"{display_path(path)} is damaged: it names edge maps that cannot be.", REMAKE_EDGES
            )
    found: EdgeIndex = {"schema": SCHEMA, "store": "", "current": "", "maps": {}, **index}
    return found


def _other_version(folder: Path, schema: int) -> MismatchError:
    age, hint = ("an older", _AGAIN) if schema < SCHEMA else ("a newer", "Update sbirctl.")
    return MismatchError(
        f"The data set in {display_path(folder)} was made by {age} sbirctl "
        f"(its schema is {schema}, this version reads {SCHEMA}).",
        hint,
    )


def store_folder(name: str) -> Path:
    """Where the data set of that name lies or will lie.

    Raises:
        UsageError: the name would not make a plain folder.
    """
    wrong = not name or name.startswith((".", "-")) or any(c in '/\\:\0\n\r\t*?"<>|' for c in name)
    if wrong or not is_short(name):
        raise UsageError(
            f"{name[:99]!r} cannot name a data set.",
            "Use letters, digits, '-', '_' and '.', 100 at most.",
        )
    return datasets_dir() / name


def edges_file(folder: Path, name: str) -> Path:
    """Where a store keeps the edge maps of that name."""
    return folder / f"edges-{name}.h5"


def prepared() -> tuple[str, ...]:
    """Names of the prepared data sets, sorted."""
    return tuple(sorted(path.parent.name for path in datasets_dir().glob(f"*/{MANIFEST}")))


def find_store(name_or_path: str | Path) -> Path:
    """The folder of a prepared data set; nothing in it is read.

    Raises:
        MissingError: see `Store.open`.
    """
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
