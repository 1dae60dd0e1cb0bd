"""A gallery on disk: one manifest that names immutable files; which galleries there are.

`<home>/galleries/<name>/` holds `gallery.json`, `files-*.npz` (every file that was looked into),
`<model key>/*.npz` (parts: vectors in the order they were made), `engine-*/` (what is searched) and
`left-out.tsv`. What the manifest does not name is left of a stopped call, or of an earlier state.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError, nearest
from sbirctl.core.files import digest_json, display_path, read_json, write_json
from sbirctl.core.home import galleries_dir
from sbirctl.galleries.listing import Entry, from_columns, read_npz, to_columns, write_npz
from sbirctl.galleries.record import ModelRecord, record_from_json
from sbirctl.store.manifest import quote_path

SCHEMA = 1
MANIFEST = "gallery.json"
LEFT_OUT = "left-out.tsv"
LOCK = ".lock"


@dataclass(frozen=True)
class GalleryInfo:
    """A gallery in a few words.

    Attributes:
        name: folder below `<home>/galleries`, or the address of a remote one.
        photos: different ones.
        model: run or model that made the vectors.
        dim: length of a vector.
        engine: as typed: "exact", "faiss:hnsw", "qdrant://…".
    """

    name: str
    photos: int
    model: str
    dim: int
    engine: str

    @property
    def renewal(self) -> str:
        """What to type, and where, to bring it up to date."""
        if "://" in self.name:
            return "`sbirctl index` on the machine that made it"
        return f"`sbirctl index --name {self.name}`"


@dataclass(frozen=True)
class Gallery:
    """What a manifest says.

    Attributes:
        place: the gallery's folder.
        record: the model.
        dim: length of a vector.
        folders: absolute paths that were walked, as bytes.
        engine: as in `GalleryInfo`.
        engine_folder: name of the folder the engine was saved in, "" for a remote one.
        parts: names of the part files below the model's folder, in the order they were made.
        files: name of the file with all entries.
        photos: different ones.
    """

    place: Path
    record: ModelRecord
    dim: int
    folders: tuple[bytes, ...]
    engine: str
    engine_folder: str
    parts: tuple[str, ...]
    files: str
    photos: int

    @property
    def info(self) -> GalleryInfo:
        """The gallery in a few words."""
        return GalleryInfo(self.place.name, self.photos, self.record.label, self.dim, self.engine)

    @property
    def parts_folder(self) -> Path:
        """Where parts lie: a folder a model."""
        return self.place / self.record.key

    def entries(self) -> list[Entry]:
        """Every file that was looked into, sorted by path.

        Raises:
            CorruptError: the file is damaged.
        """
        return from_columns(read_npz(self.place / self.files))

    def changed(self) -> bool:
        """Whether the manifest says something else by now, or is gone."""
        try:
            return read_gallery(self.place) != self
        except SbirctlError:
            return True


def list_galleries(home: Path | None = None) -> list[GalleryInfo]:
    """All galleries, the one indexed last first; damaged ones are passed over.

    Args:
        home: instead of the home folder.
    """
    found = []
    for place in _places(home):
        try:
            found.append(read_gallery(place).info)
        except (CorruptError, MissingError):  # damaged, or removed just now
            continue
    return found


def find_gallery(name: str | None) -> Gallery:
    """A gallery by name; None for the one indexed last.

    Raises:
        MissingError: there is none, or none of that name.
        CorruptError: its manifest is damaged.
    """
    places = _places(None)
    if name is None:
        if not places:
            raise MissingError(
                f"There is no gallery in {display_path(galleries_dir())}.",
                "Type `sbirctl index FOLDER` with a folder of photos.",
            )
        return read_gallery(places[0])
    check_name(name)
    place = galleries_dir() / name
    if not (place / MANIFEST).is_file():
        known = [path.name for path in places]
        begun = place.is_dir()
        raise MissingError(
            f"The gallery {name!r} is not indexed to the end."
            if begun
            else f"There is no gallery {name!r}.",
            "Type the same `sbirctl index …` again; it continues."
            if begun
            else f"Type `sbirctl index FOLDER --name {name}`. {nearest(name, known)}",
        )
    return read_gallery(place)


def check_name(name: str) -> None:
    """Refuse a name that is no plain folder name.

    Raises:
        UsageError: it is none.
    """
    shown = display_path(name) == name  # else it holds control signs or what is no UTF-8
    if not name or name.startswith(".") or "/" in name or os.sep in name or not shown:
        raise UsageError(f"{name!r} cannot name a gallery.", "Take a plain word: --name photos.")


def read_gallery(place: Path) -> Gallery:
    """The gallery in a folder.

    Raises:
        MissingError: there is no manifest.
        CorruptError: it is damaged, or of another schema.
    """
    manifest = read_json(place / MANIFEST)
    try:
        if manifest["schema"] != SCHEMA:
            raise CorruptError(
                f"{display_path(place)} has schema {manifest['schema']}, this version reads "
                f"{SCHEMA}.",
                "Name its folders again: `sbirctl index FOLDER --name NAME --fresh`.",
            )
        return Gallery(
            place=place,
            record=record_from_json(manifest["model"]),
            dim=int(manifest["dim"]),
            folders=tuple(unquote_to_bytes(folder) for folder in manifest["folders"]),
            engine=str(manifest["engine"]),
            engine_folder=str(manifest["engine_folder"]),
            parts=tuple(manifest["parts"]),
            files=str(manifest["files"]),
            photos=int(manifest["photos"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptError(
            f"{display_path(place / MANIFEST)} is damaged: {error!r}.",
            "Name its folders again: `sbirctl index FOLDER --name NAME --fresh`.",
        ) from error


def write_gallery(gallery: Gallery) -> None:
    """Put the manifest into place: from then on the gallery is what it says."""
    write_json(
        gallery.place / MANIFEST,
        {
            "schema": SCHEMA,
            "photos": gallery.photos,
            "model": asdict(gallery.record),
            "dim": gallery.dim,
            "folders": [quote_path(folder) for folder in gallery.folders],
            "engine": gallery.engine,
            "engine_folder": gallery.engine_folder,
            "files": gallery.files,
            "parts": list(gallery.parts),
        },
    )


def write_entries(place: Path, entries: Sequence[Entry]) -> str:
    """Write the entries under a name of their content; gives the name."""
    columns = to_columns(entries)
    content = [[quote_path(e.file.path), e.file.size, e.file.stamp, e.id] for e in entries]
    name = f"files-{digest_json(content)[:16]}.npz"
    write_npz(place / name, columns)
    return name


def sweep(gallery: Gallery) -> None:
    """Remove what the manifest does not name."""
    own = {MANIFEST, LEFT_OUT, LOCK, gallery.files, gallery.engine_folder, gallery.record.key}
    for path in gallery.place.iterdir():
        if path.name not in own:
            _remove(path)
    if gallery.parts_folder.is_dir():
        for path in gallery.parts_folder.iterdir():
            if path.name not in gallery.parts:
                _remove(path)


def _places(home: Path | None) -> list[Path]:
    root = galleries_dir() if home is None else home / "galleries"
    found = []
    for manifest in root.glob(f"*/{MANIFEST}"):
        try:
            found.append((manifest.stat().st_mtime_ns, manifest.parent))
        except OSError:  # removed just now
            continue
    return [place for _, place in sorted(found, reverse=True)]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
