"""A run as others get it: which of its files go along, and a list of them with their digests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sbirctl import __version__
from sbirctl.core.errors import CorruptError
from sbirctl.core.files import digest_file, digest_json, display_path, read_json
from sbirctl.core.forms import NATURAL, Each, check_form
from sbirctl.core.home import CHECKPOINT, RESULT

PUBLISHED_SCORES = "published_scores.json"
LIST = "sbirctl.json"
README = "README.md"
MOST_LIST_BYTES = 1 << 20
_SCHEMA = 1
_MOST_FILES = 64
_NEEDED = (CHECKPOINT, "config.toml", RESULT)
_OTHERS = ("log.jsonl", PUBLISHED_SCORES)
_EXPORTED = re.compile(r"onnx-[0-9a-f]{12}/[A-Za-z0-9][A-Za-z0-9._-]{0,80}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 200
_HINT = "Nothing of it was kept. Ask who made it."
_FORM = {"schema": int, "run": str, "files": Each({"bytes": NATURAL, "sha256": str})}


@dataclass(frozen=True)
class PackagedFile:
    """A file of a package: its bytes, and their SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Package:
    """What is sent of a run.

    Attributes:
        run: its name where it was trained.
        files: by their names below the run's folder.
    """

    run: str
    files: Mapping[str, PackagedFile]

    @property
    def digest(self) -> str:
        """Of the name and of all files' digests."""
        return digest_json([self.run, {name: one.sha256 for name, one in self.files.items()}])

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(one.bytes for one in self.files.values())

    def to_json(self) -> dict[str, Any]:
        """The list as it is written."""
        files = {name: vars(one) for name, one in sorted(self.files.items())}
        return {"schema": _SCHEMA, "run": self.run, "sbirctl": __version__, "files": files}


def package_of(places: Mapping[str, Path], run: str) -> Package:
    """The package of files that lie at `places`, by the names they get."""
    found = {
        name: PackagedFile(path.stat().st_size, digest_file(path)) for name, path in places.items()
    }
    return Package(run, found)


def files_of(folder: Path, scores: Path | None, export: Path | None) -> dict[str, Path]:
    """What is sent of a finished run: where its files lie, by the names they get.

    Args:
        folder: of the run.
        scores: its figures, None for none.
        export: its exported model, None for none.
    """
    found = {name: folder / name for name in (*_NEEDED, "log.jsonl")}
    if scores is not None:
        found[PUBLISHED_SCORES] = scores
    if export is not None:
        for path in sorted(export.iterdir()):
            found[f"{export.name}/{path.name}"] = path
    return {name: path for name, path in found.items() if path.is_file()}


def belongs(name: str) -> bool:
    """Whether a package can hold a file of that name."""
    return name in (*_NEEDED, *_OTHERS) or _EXPORTED.fullmatch(name) is not None


def read_list(path: Path, called: str) -> Package:
    """A package's list, from anybody.

    Args:
        path: of the list.
        called: what the package is called in messages.

    Raises:
        CorruptError: it is no such list, or names what a package cannot hold.
    """
    try:
        found = read_json(path)
        check_form(found, {"schema": int}, path)
        if found["schema"] == _SCHEMA:
            check_form(found, _FORM, path)
    except CorruptError as error:
        raise CorruptError(f"The list of {called} is no list: {error.message}", _HINT) from error
    if found["schema"] != _SCHEMA:
        newer = found["schema"] > _SCHEMA
        raise CorruptError(
            f"{called} has a list of schema {found['schema']}; this program reads {_SCHEMA}.",
            "Update sbirctl." if newer else "Ask for it to be packed again.",
        )
    run, files = found["run"], found["files"]
    problem = _problem(run, files)
    if problem:
        raise CorruptError(f"{called} is refused: {problem}.", _HINT)
    return Package(
        run, {name: PackagedFile(one["bytes"], one["sha256"]) for name, one in files.items()}
    )


def _problem(run: str, files: Mapping[str, Mapping[str, Any]]) -> str:
    """Why a list is refused, "" where it is not."""
    odd = not run.isprintable() or PurePosixPath(run).name != run or "\\" in run
    if odd or run.startswith((".", "-", "hf:")) or not 0 < len(run.encode()) <= _LONGEST_NAME:
        return f"its run is called {run[:40]!r}"
    if len(files) > _MOST_FILES:
        return f"it lists {len(files)} files"
    for name, one in files.items():
        if not belongs(name):
            return f"it lists {display_path(name[:60])!r}, which is no file of a run"
        if not _DIGEST.fullmatch(one["sha256"]):
            return f"{name} has no digest"
    if len({name.lower() for name in files}) < len(files):
        return "it lists names that differ in capitals only"
    missing = [name for name in _NEEDED if name not in files]
    return f"it lists no {missing[0]}" if missing else ""
