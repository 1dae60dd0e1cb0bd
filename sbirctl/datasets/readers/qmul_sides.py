"""Which instances of ShoeV2 and ChairV2 are for training and which for testing; see `_qmul`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from sbirctl.core.files import display_path
from sbirctl.datasets.readers.listfiles import UNLISTED
from sbirctl.datasets.readers.naming import before_number, stem
from sbirctl.datasets.readers.qmul_places import TEST, TRAIN, Placed, of_class
from sbirctl.datasets.readers.tree import Tree

_LIST = re.compile(rb"(?P<role>photo|sketch)_(?P<side>train|test)\.txt")
Lists = Mapping[tuple[str, str], tuple[str, frozenset[str]]]  # {(role, side): (name, stems)}


def find_sides(trees: Sequence[Tree], class_name: str) -> Lists:
    result: dict[tuple[str, str], tuple[str, frozenset[str]]] = {}
    for tree in trees:
        for file in tree.others:
            folder, _, name = (tree.name + b"/" + file.path).rpartition(b"/")
            match = _LIST.fullmatch(name)
            if match and of_class(folder, class_name):
                lines = tree.read(file.path).replace(b"\\", b"/").split(b"\n")
                stems = (stem(line.strip().rpartition(b"/")[2]) for line in lines)
                key = match["role"].decode(), match["side"].decode()
                result[key] = display_path(file.path), frozenset(filter(None, stems))
    return result


class Sides:
    """Which files belong, and on which side they and their instances are."""

    def __init__(
        self,
        photos: Sequence[Placed],
        sketches: Sequence[Placed],
        lists: Lists,
        ignored: Counter[str],
    ) -> None:
        self.used = {name for name, _ in lists.values()}
        self._side: dict[int, str] = {}
        self.photos = self._kept(photos, lists, ignored)
        self.sketches = self._kept(sketches, lists, ignored)
        by_sketch = {
            before_number(f.stem, "_"): self._side[id(f)]
            for f in self.sketches
            if self._side[id(f)]
        }
        # Coordinates name the sides of sketches only.
        self._instance = {
            f.stem: self._side[id(f)] or by_sketch.get(f.stem, "") for f in self.photos
        }
        self.tested = {name for name, side in self._instance.items() if side == TEST}

    def _kept(self, found: Sequence[Placed], lists: Lists, ignored: Counter[str]) -> list[Placed]:
        kept = []
        for one in found:
            listed = {side: lists[one.modality, side][1] for side in (TRAIN, TEST)
                      if (one.modality, side) in lists}  # fmt: skip
            sides = [side for side, stems in listed.items() if one.stem in stems]
            if listed and not sides:
                ignored[UNLISTED] += 1
                continue
            self._side[id(one)] = sides[0] if sides else one.side
            kept.append(one)
        return kept

    def counts(self) -> dict[str, int]:
        """Photos and sketches, in all and by their own side where that is known."""
        result = Counter(photos=len(self.photos), sketches=len(self.sketches))
        for name, group in (("photos", self.photos), ("sketches", self.sketches)):
            for one in group:
                side = self._side[id(one)]
                if not side and name == "photos":
                    side = self._instance[one.stem]
                if side:
                    result[f"{name}_{side}"] += 1
        return dict(result)

    def remarks(self) -> list[str]:
        """What does not fit together."""
        lines = []
        moved = lost = 0
        for one in self.sketches:
            instance = self._instance.get(before_number(one.stem, "_"))
            own = self._side[id(one)]
            lost += instance is None
            moved += bool(own and instance and own != instance)
        if lost:
            lines.append(f"{lost:,} sketches were drawn from photos that are not here.")
        if moved:
            lines.append(
                f"{moved:,} sketches are listed on another side than their photos; "
                "the photo decides."
            )
        if not self.tested:
            lines.append(
                "Nothing says which instances are for testing; the task fg takes a fifth of them."
            )
        return lines
