"""Reading data sets whose photos and sketches lie in folders by class and have no pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sbirctl.core.errors import MissingError
from sbirctl.datasets.readers.layouts import Layout, PlacedFile, recognise, take
from sbirctl.datasets.readers.listfiles import UNLISTED, FileLists, KeepListed, find_lists
from sbirctl.datasets.readers.naming import Ids
from sbirctl.datasets.readers.tree import Tree
from sbirctl.store.manifest import MODALITIES, Modality
from sbirctl.store.raw import RawItem


@dataclass
class ClassFolders:
    """What was found in a data set's folders.

    Attributes:
        items: photos and sketches.
        layout: the arrangement, in words.
        ids: hands out further ids.
        ignored: files left aside, by reason.
        lists: the file lists that say what belongs.
        remarks: what a person should know.
    """

    items: list[RawItem]
    layout: str
    ids: Ids
    ignored: Counter[str]
    lists: FileLists = field(default_factory=FileLists)
    remarks: tuple[str, ...] = field(default_factory=tuple)

    def count(self, modality: Modality) -> int:
        """How many photos or sketches."""
        return sum(item.modality == modality for item in self.items)


def read_class_folders(
    trees: Sequence[Tree], layouts: Sequence[Layout], dataset: str
) -> ClassFolders:
    """Items of all recognised folders; either side may be missing.

    Raises:
        MismatchError: one side lies in several places.
    """
    ignored: Counter[str] = Counter()
    for tree in trees:
        ignored.update(tree.ignored)
    lists = find_lists(trees)
    groups = recognise(trees, layouts, dataset, ignored, KeepListed(lists, ignored))
    ids = Ids()
    items: list[RawItem] = []
    names: list[str] = []
    for modality in MODALITIES:
        keys = [key for key in groups if key[1] == modality]
        names += [name for name, _ in keys]
        items += [_item(found, modality, ids) for found in take(groups, keys, trees)]
    layout = " and ".join(dict.fromkeys(names)) + (", file lists" if lists else "")
    return ClassFolders(items, layout, ids, ignored, lists, lists.remarks())


def must_have(found: ClassFolders, modality: Modality, title: str, expected: str) -> None:
    """Refuse a data set that lacks a side.

    Args:
        found: what was found.
        modality: the side.
        title: the data set's name for people.
        expected: where the files should lie.

    Raises:
        MissingError: there is none.
    """
    if not found.count(modality):
        plural = {"photo": "photos", "sketch": "sketches"}[modality]
        hint = found.lists.hint() if found.ignored[UNLISTED] else ""
        raise MissingError(f"There are no {plural} of {title}.", hint or expected)


def _item(found: PlacedFile, modality: Modality, ids: Ids) -> RawItem:
    return RawItem(
        id=ids.new(modality, found.class_name, found.name),
        path=found.file.path,
        modality=modality,
        class_name=found.class_name,
        tree=found.tree,
        size=found.file.size,
        stamp=found.file.stamp,
    )
