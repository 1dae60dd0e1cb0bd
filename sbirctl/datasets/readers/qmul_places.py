"""Where the photos and sketches of ShoeV2 and ChairV2 lie; see `_qmul`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sbirctl.core.errors import MismatchError
from sbirctl.core.files import display_path
from sbirctl.datasets.readers.coordinates import read_coordinates
from sbirctl.datasets.readers.layouts import OUTSIDE, shown
from sbirctl.datasets.readers.naming import stem
from sbirctl.datasets.readers.tree import NO_IMAGE, File, Tree
from sbirctl.store.manifest import Modality

TRAIN, TEST = "train", "test"
_SIDES = {b"train": TRAIN, b"val": TEST, b"test": TEST, b"": ""}
_WORDS = (b"shoe", b"chair")
_PLACES = (
    (
        "trainA, trainB, testA and testB",
        re.compile(rb"(?:.*/)?(?P<side>train|val|test)(?P<role>[AB])"),
    ),
    (
        "train and test, each with sketch and photo",
        re.compile(rb"(?:.*/)?(?P<side>train|val|test)/(?P<role>photo|sketch)(?:/[^/]+)?"),
    ),
    (
        "photo and sketch folders",
        re.compile(
            rb"(?:.*/)?(?:[\w-]*[_-])?(?P<role>photo|sketch)(?:e?s)?(?:[_-]\w+)*(?P<side>)",
            re.IGNORECASE,
        ),
    ),
)


@dataclass(frozen=True)
class Placed:
    """A file in a recognised place; `side` is "" where the place does not say."""

    tree: int
    file: File
    layout: str
    top: bytes
    modality: Modality
    side: str
    stem: str

    @property
    def kind(self) -> str:
        """How a sketch is given."""
        return "vectors" if self.file.path.lower().endswith(b".svg") else "pictures"


def recognise(trees: Sequence[Tree], class_name: str, ignored: Counter[str]) -> list[Placed | None]:
    result: list[Placed | None] = []
    for index, tree in enumerate(trees):
        vectors = [f for f in tree.others if f.path.lower().endswith(b".svg")]
        ignored.subtract({NO_IMAGE: len(vectors)} if vectors else {})
        for file in (*tree.files, *vectors):
            folder = tree.name + b"/" + file.path
            folder = folder.rpartition(b"/")[0]
            one = None
            if not of_class(folder, class_name):
                ignored["of another data set"] += 1
            else:
                one = _recognised(index, file, folder)
                ignored[OUTSIDE] += one is None
            result.append(one)
    return result


def of_class(folder: bytes, class_name: str) -> bool:
    """Whether the nearest folder that names a thing names this one."""
    for part in reversed(folder.lower().split(b"/")):
        words = [word for word in _WORDS if word in part]
        if len(words) == 1:
            return words[0] == class_name.encode()
    return True


def _recognised(tree: int, file: File, folder: bytes) -> Placed | None:
    for layout, pattern in _PLACES:
        match = pattern.fullmatch(folder)
        if match is None:
            continue
        sketch = match["role"].lower() in (b"a", b"sketch")
        modality: Modality = "sketch" if sketch else "photo"
        top = folder[: match.start("side")] if match["side"] else folder
        name = stem(file.path.rpartition(b"/")[2])
        return Placed(tree, file, layout, top, modality, _SIDES[match["side"]], name)
    return None


def one_place(
    found: Sequence[Placed], trees: Sequence[Tree], ignored: Counter[str]
) -> list[Placed]:
    """The files of one place; sketches that are there as pictures, too, are not rendered."""
    places: dict[tuple[str, int, bytes, str], list[Placed]] = {}
    for one in found:
        places.setdefault((one.layout, one.tree, one.top, one.kind), []).append(one)
    pictures = [key for key in places if key[3] == "pictures"]
    if pictures and len(places) > len(pictures):
        for key in places.keys() - set(pictures):
            ignored["vectors of sketches that are there as pictures"] += len(places.pop(key))
    if len(places) > 1:
        named = " and ".join(sorted(shown((tree, top), trees) for _, tree, top, _ in places))
        raise MismatchError(
            f"There are several folders of the same files: {named}.",
            "Give the one that is meant with --from.",
        )
    return next(iter(places.values()), [])


def coordinates(trees: Sequence[Tree], class_name: str) -> list[Placed]:
    """The sketches of a coordinate pickle.

    Raises:
        CorruptError: it is damaged, or asks for more than arrays.
        MismatchError: there are several.
    """
    files = [
        (index, file)
        for index, tree in enumerate(trees)
        for file in tree.others
        if file.path.endswith(b"_Coordinate") and of_class(tree.name + b"/" + file.path, class_name)
    ]
    if len(files) > 1:
        named = " and ".join(shown((i, trees[i].name + b"/" + f.path), trees) for i, f in files)
        raise MismatchError(
            f"There are several coordinate files: {named}.", "Give the one that is meant."
        )
    result = []
    for index, file in files:
        for key, points in read_coordinates(trees[index].read(file.path)).items():
            _, _, rest = key.encode().rpartition(b"/")
            part = File(file.path + b"#" + key.encode(), points.nbytes, file.stamp)
            side = _SIDES.get(key.strip("/").partition("/")[0].encode(), "")
            # Not `stem`: a chair's name may hold a dot, and a key has no ending.
            name = display_path(rest)
            result.append(Placed(index, part, "coordinates", file.path, "sketch", side, name))
    return result
