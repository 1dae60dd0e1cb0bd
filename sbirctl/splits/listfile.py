"""The file format of a class list: one name a line, header lines `# key: value`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sbirctl.core.errors import CorruptError

Header = Mapping[str, str]
KINDS = ("classes", "unseen", "generalised", "instances")


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
    for line in text.removeprefix("\ufeff").splitlines():
        line = line.strip()
        if line.startswith("#"):
            name, sign, value = line.lstrip("#").partition(":")
            name, value = name.strip().lower(), value.strip()
            if sign and name and " " not in name:
                header[name] = f"{header[name]}\n{value}" if name in header else value
        elif line:
            names.append(line)
    result = ListFile(header, tuple(names))
    _check(result, where)
    return result


def write(header: Header, names: Iterable[str]) -> str:
    """The text of a list file; a header value with newlines becomes several lines."""
    listed = list(names)
    lines = [f"# {k}: {part}" for k, value in header.items() for part in str(value).split("\n")]
    return "\n".join([*lines, *listed]) + "\n"


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
