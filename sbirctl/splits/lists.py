"""Class lists: where the published ones lie, and the file format of all of them.

They lie in the top-level `splits/` of a checkout, in `splits/data` of a wheel. A list has one name
a line and header lines `# key: value`. Blanks at the ends of a line do not count. As in a
`.gitignore`, a backslash keeps a `#` or a blank at the front of a name, and a blank at its end.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from sbirctl.core import text as texts
from sbirctl.core.errors import CorruptError, MissingError

Header = Mapping[str, str]
KINDS = ("classes", "unseen", "generalised", "instances")
_ESCAPED = re.compile(r"\\(?=[#\\ ])")


@cache
def root() -> Traversable:
    """The folder of the published lists.

    Raises:
        MissingError: the installation carries none.
    """
    packed = files("sbirctl.splits") / "data"
    if packed.is_dir():
        return packed
    beside = Path(str(files("sbirctl"))).parent / "splits"
    if (beside / "spellings.tsv").is_file():
        return beside
    raise MissingError("This installation carries no class lists.", "Install sbirctl again.")


def datasets() -> tuple[str, ...]:
    """Data sets that have published lists, sorted."""
    return tuple(sorted(entry.name for entry in root().iterdir() if entry.is_dir()))


def list_names(dataset: str) -> tuple[str, ...]:
    """Names of a data set's published lists ("imagenet21"), sorted; without "classes"."""
    folder = root() / dataset
    if not dataset or not folder.is_dir():
        return ()
    stems = (e.name.removesuffix(".txt") for e in folder.iterdir() if e.name.endswith(".txt"))
    return tuple(sorted(stem for stem in stems if stem != "classes"))


def read_table(*path: str) -> list[dict[str, str]]:
    """Rows of a tab-separated table of the published data; lines starting with # are comments.

    Raises:
        MissingError: there is no such table.
        CorruptError: a row does not have the header's columns.
    """
    place = root().joinpath(*path)
    name = "/".join(path)
    if not place.is_file():
        raise MissingError(f"There is no table splits/{name}.")
    text = texts.read_text(place)
    content = [line for line in texts.lines(text) if line and not line.startswith("#")]
    rows = list(csv.DictReader(content, delimiter="\t", restval=None))
    if any(None in row or None in row.values() for row in rows):
        raise CorruptError(f"splits/{name} has a row with too few or too many columns.")
    return rows


@dataclass(frozen=True)
class ListFile:
    """A list as its file has it: names in the file's order, header values by key.

    A header key that comes several times has its values joined by newlines.
    """

    header: dict[str, str]
    names: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What the names are, one of `KINDS`."""
        return self.header.get("kind", "unseen")


def parse(text: str, where: str) -> ListFile:
    """Read a list; blank lines and comments that are no `key: value` are skipped.

    Args:
        text: the file's text.
        where: its path or name, for messages.

    Raises:
        CorruptError: it is empty, a name comes twice, the count in the header is another, or its
            kind is unknown.
    """
    header: dict[str, str] = {}
    names: list[str] = []
    for raw in texts.lines(text):
        line = raw.strip()
        if line.startswith("#"):
            name, sign, value = line.lstrip("#").partition(":")
            name, value = name.strip().lower(), value.strip()
            if sign and name and " " not in name:
                header[name] = f"{header[name]}\n{value}" if name in header else value
        elif line:
            names.append(_name(raw))
    result = ListFile(header, tuple(names))
    _check(result, where)
    return result


def write(header: Header, names: Iterable[str]) -> str:
    """The text of a list file; a header value with newlines becomes several lines."""
    listed = list(names)
    lines = [f"# {k}: {part}" for k, value in header.items() for part in str(value).split("\n")]
    return "\n".join([*lines, *map(_line, listed)]) + "\n"


def _line(name: str) -> str:
    """A name as its line, so that `_name` gives it back."""
    if name[:1] in ("#", " ") or _ESCAPED.match(name):
        name = "\\" + name
    return f"{name[:-1]}\\ " if name.endswith(" ") else name


def _name(line: str) -> str:
    """The name in a line."""
    text = line.strip()
    if text.endswith("\\") and line.rstrip("\t\r\n").endswith("\\ "):
        text = text[:-1] + " "
    return texts.composed(_ESCAPED.sub("", text, count=1) if _ESCAPED.match(text) else text)


def _check(content: ListFile, where: str) -> None:
    if content.kind not in KINDS:
        raise CorruptError(f"{where}: kind {content.kind!r} is none of {', '.join(KINDS)}.")
    if not content.names:
        raise CorruptError(f"{where} names nothing.", "Write one class name a line.")
    seen: set[str] = set()
    for name in content.names:
        if name in seen:
            raise CorruptError(f"{where} names {name!r} twice.", "Take one of them out.")
        seen.add(name)
    count = content.header.get("count")
    if count is not None and count != str(len(content.names)):
        raise CorruptError(f"{where} says it names {count} but names {len(content.names)}.")
