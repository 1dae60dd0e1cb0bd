"""Recognising how a data set's folders are arranged, whoever packed them."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sbirctl.core.errors import MismatchError
from sbirctl.core.files import display_path
from sbirctl.datasets.readers.tree import File, Tree
from sbirctl.splits.spellings import canonical

OUTSIDE = "outside the layout"
Keep = Callable[[int, File], bool]


@dataclass(frozen=True)
class Layout:
    """One arrangement of folders whose last level is the class.

    Attributes:
        name: in words, for the person who prepares the data set.
        pattern: full match of everything above the class folder. Its group `role` (or, for
            layouts that hold one role only, the attribute `role`) says photo or sketch; `tx` a
            variant; `top` what two parts of one layout share (else the whole path).
        role: for patterns without that group.
    """

    name: str
    pattern: re.Pattern[bytes]
    role: str = ""


@dataclass(frozen=True)
class PlacedFile:
    """A file with its place in a recognised layout."""

    tree: int
    file: File
    class_name: str
    name: bytes


# {(layout, role): {top folder as (tree, path): files}}
Groups = dict[tuple[str, str], dict[tuple[int, bytes], list[PlacedFile]]]

ROLES = {b"photo": "photo", b"photos": "photo", b"images": "photo"}
# The copies people trade: {train,val}/{sketch,photo}/<class>, or without the first level.
SPLIT_TREE = Layout(
    "one tree of train and val",
    re.compile(rb"(?P<top>(?:.*/)?)(?:train|val|test)/(?P<role>photo|sketch)"),
)
PLAIN_TREE = Layout(
    "one tree of photo and sketch", re.compile(rb"(?P<top>(?:.*/)?)(?P<role>photo|sketch)")
)


def recognise(
    trees: Sequence[Tree],
    layouts: Sequence[Layout],
    dataset: str,
    ignored: Counter[str],
    keep: Keep | None = None,
) -> Groups:
    """Sort the image files by layout, role and the folder they lie below.

    Args:
        trees: what was given.
        layouts: the first that matches a folder has it.
        dataset: class names become this data set's spelling.
        ignored: gets the files that lie elsewhere.
        keep: files it says no to are left out; it counts them itself.
    """
    groups: Groups = defaultdict(lambda: defaultdict(list))
    for index, tree in enumerate(trees):
        places: dict[bytes, tuple[tuple[str, str], bytes, str] | None] = {}
        for file in tree.files:
            folder, _, name = file.path.rpartition(b"/")
            if folder not in places:
                whole = tree.name + b"/" + folder if folder else tree.name
                places[folder] = _meaning_of_folder(whole, layouts, dataset)
            place = places[folder]
            if place is None:
                ignored[OUTSIDE] += 1
            elif keep is None or keep(index, file):
                key, top, class_name = place
                groups[key][index, top].append(PlacedFile(index, file, class_name, name))
    return groups


def _meaning_of_folder(
    folder: bytes, layouts: Sequence[Layout], dataset: str
) -> tuple[tuple[str, str], bytes, str] | None:
    """(layout and role, top folder, class) of a folder whose last part names a class."""
    top, _, last = folder.rpartition(b"/")
    for layout in layouts:
        found = layout.pattern.fullmatch(top)
        if found is None:
            continue
        parts = found.groupdict()
        role = layout.role or ROLES.get(parts["role"], "sketch")
        if "tx" in parts:
            role += f" {parts['tx'].decode()}"
        place = parts.get("top", top)
        return (layout.name, role), place, canonical(display_path(last), dataset)
    return None


def take(
    groups: Groups, keys: Iterable[tuple[str, str]], trees: Sequence[Tree]
) -> list[PlacedFile]:
    """Remove the files of these (layout, role) and give them; [] where there are none.

    Raises:
        MismatchError: they lie in several places, so they may be there twice.
    """
    places = [(place, files) for key in keys for place, files in groups.pop(key, {}).items()]
    if len(places) > 1:
        named = " and ".join(sorted(shown(place, trees) for place, _ in places))
        raise MismatchError(
            f"There are several folders of the same files: {named}.",
            "Give the one that is meant with --from.",
        )
    return places[0][1] if places else []


def shown(place: tuple[int, bytes], trees: Sequence[Tree]) -> str:
    """A place for people: the path given and the folders below it."""
    tree, top = place
    inside = top.removeprefix(trees[tree].name).strip(b"/")
    return os.path.join(trees[tree].label, display_path(inside))
