"""Which files the paths of a list mean, where the disk is laid out or spelled otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from sbirctl.core.text import composed
from sbirctl.datasets.readers.tree import Tree

Place = tuple[int, bytes]  # number of the tree, path in it
# So many names from the end say which file is meant where both paths begin otherwise; three do
# where they are all that the tree knows.
_ENOUGH, _WHOLE = 4, 3


def parts_of(path: str) -> list[str]:
    """The names of a path of any system, without quotes, "." and ".."."""
    found: list[str] = []
    for part in path.strip("\"'").replace("\\", "/").split("/"):
        if part == ".." and found:
            found.pop()
        elif part not in ("", ".", ".."):
            found.append(part)
    return found


def find_files(listed: Iterable[bytes], trees: Sequence[Tree]) -> dict[bytes, list[Place]]:
    """The files that each listed path means, for those that are here.

    A path means a file whose path ends with it. Where none does, the beginning may differ (a list
    made on another machine), or upper and lower case and the Unicode form (one made on another
    system).

    Args:
        listed: paths of folder and file at least, separator "/".
        trees: folders and archives.
    """
    by_end: dict[tuple[str, ...], list[Place]] = {}
    for number, tree in enumerate(trees):
        for file in tree.files:
            by_end.setdefault(_alike(file.path)[-2:], []).append((number, file.path))
    found: dict[bytes, list[Place]] = {}
    for path in listed:
        places = by_end.get(_alike(path)[-2:], [])
        exact = [one for one in places if (b"/" + one[1]).endswith(b"/" + path)]
        alike = exact or [one for one in places if _means(_alike(path), _alike(one[1]))]
        if alike:
            found[path] = alike
    return found


def _alike(path: bytes) -> tuple[str, ...]:
    return tuple(composed(os.fsdecode(path)).casefold().split("/"))


def _means(listed: tuple[str, ...], file: tuple[str, ...]) -> bool:
    common = 0
    for one, other in zip(reversed(listed), reversed(file), strict=False):
        if one != other:
            break
        common += 1
    return common == len(listed) or common >= min(_ENOUGH, max(len(file), _WHOLE))
