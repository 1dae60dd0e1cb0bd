"""File lists as SAKE, MATHM and ZSE-SBIR publish them: they say which files belong.

A line is `<path below the data set's folder> <label>`; paths may hold blanks, so the last blank or
tab divides. Windows' separators, blank lines and `#` comments do no harm; any other line is
refused, since a list that is passed over would let in what it leaves out. `cname_cid.txt` and
`cname_cid_zero.txt` beside them name the labels; labels of the unseen classes start at 0 again.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import display_path
from sbirctl.core.text import content, decode
from sbirctl.datasets.readers.listed_paths import Place, find_files, parts_of
from sbirctl.datasets.readers.tree import File, Tree
from sbirctl.splits.spellings import key

UNLISTED = "in no file list"
_LIST = re.compile(
    rb"(?:.*_filelist|sketch|all_photo)_(?P<part>train|test|zero)\.txt", re.DOTALL | re.IGNORECASE
)
_LINE = re.compile(r"(?P<place>.*[/\\].*?)[ \t]+(?P<label>[0-9]+)")
_LABEL = re.compile(r"(?P<name>.*?)[ \t]+(?P<label>[0-9]+)")
_NAMES = {"zero": b"cname_cid_zero.txt", "train": b"cname_cid.txt", "test": b"cname_cid.txt"}


@dataclass(frozen=True)
class FileLists:
    """All file lists found, together.

    Attributes:
        listed: paths below the data set's folder.
        names: of the lists, for people.
        mislabelled: per list, lines whose label is not that of their folder.
        found: the files that listed paths mean, for paths that are here.
    """

    listed: frozenset[bytes] = frozenset()
    names: tuple[str, ...] = ()
    mislabelled: Mapping[str, int] = field(default_factory=dict)
    found: Mapping[bytes, Sequence[Place]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.names)

    def remarks(self) -> tuple[str, ...]:
        """What a person should know about the lists."""
        if not self:
            return ()
        lines = [
            f"{len(self.names)} file lists name {len(self.listed):,} files; "
            f"{len(self.found):,} of them are here."
        ]
        for name, count in self.mislabelled.items():
            lines.append(
                f"{count:,} lines of {name} have another label than their class has in cname_cid; "
                "the folders' names are used."
            )
        return tuple(lines)

    def hint(self) -> str:
        """What to say to somebody who misses files: lists may leave out a whole side."""
        if not self:
            return ""
        return (
            f"Only files named in {', '.join(self.names)} are taken; move these lists away to take "
            "all."
        )


class KeepListed:
    """Whether a file belongs, for `_layouts.recognise`; everything does where nothing is listed."""

    def __init__(self, lists: FileLists, ignored: Counter[str]) -> None:
        self._all, self._ignored = not lists, ignored
        self._listed = {place for places in lists.found.values() for place in places}

    def __call__(self, tree: int, file: File) -> bool:
        if self._all or (tree, file.path) in self._listed:
            return True
        self._ignored[UNLISTED] += 1
        return False


def find_lists(trees: Sequence[Tree]) -> FileLists:
    """Read every file list of the trees.

    Raises:
        CorruptError: a file of such a name is no such list, or is in an encoding that hides what it
            names.
    """
    listed: set[bytes] = set()
    odd: dict[bytes, tuple[Tree, bytes]] = {}  # names that are no UTF-8, with their list
    names: list[str] = []
    wrong: dict[str, int] = {}
    for tree in trees:
        files = {file.path for file in tree.others}
        for path in sorted(files):
            folder, _, name = path.rpartition(b"/")
            match = _LIST.fullmatch(name)
            if match is None:
                continue
            lines = _lines(tree, path)
            names.append(display_path(path))
            listed.update(lines)
            odd |= {line: (tree, path) for line in lines if not _is_utf_8(line)}
            table = (folder + b"/" if folder else b"") + _NAMES[match["part"].decode().lower()]
            count = _mislabelled(lines, _text(tree, table)) if table in files else 0
            if count:
                wrong[display_path(path)] = count
    found = find_files(listed, trees)
    if odd and not odd.keys() & found.keys():  # the names are of another encoding than the files'
        tree, path = next(iter(odd.values()))
        decode(tree.read(path), display_path(path))
    return FileLists(frozenset(listed), tuple(names), wrong, found)


def _is_utf_8(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(tree: Tree, path: bytes) -> str:
    """The text of a list; file names that are no UTF-8 keep their bytes."""
    return decode(tree.read(path), display_path(path), "surrogateescape")


def _lines(tree: Tree, path: bytes) -> dict[bytes, str]:
    """{path: label}."""
    result: dict[bytes, str] = {}
    for number, line in content(_text(tree, path)):
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise CorruptError(
                f"{display_path(path)} looks like a file list, but line {number} does not: "
                f"{display_path(line[:80])!r}.",
                "Write FOLDER/FILE LABEL in each line; move the file away if it is no such list.",
            )
        result[os.fsencode("/".join(parts_of(parts["place"])))] = parts["label"]
    if not result:
        raise CorruptError(
            f"{display_path(path)} looks like a file list, but names no file.", "Move it away."
        )
    return result


def _mislabelled(lines: Mapping[bytes, str], table: str) -> int:
    rows = (_LABEL.fullmatch(row) for _, row in content(table))
    classes = {row["label"]: key(display_path(row["name"])) for row in rows if row}
    folders: dict[bytes, str] = {}
    count = 0
    for path, label in lines.items():
        folder = path.rpartition(b"/")[0].rpartition(b"/")[2]
        if folder not in folders:
            folders[folder] = key(display_path(folder))
        count += classes.get(label) != folders[folder]
    return count
