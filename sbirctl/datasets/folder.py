"""Anybody's own photos and sketches: one folder of photos, one of sketches, sub-folders as classes.

A class is a sub-folder, of the same name on both sides; what lies deeper belongs to it too. Files
that lie directly in the folder are one class where there are no sub-folders. With `pairs=stem` a
sketch `<stem>-<k>` or `<stem>_<k>` (or just `<stem>`) was drawn from the photo `<stem>`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sbirctl.core.config import setting, to_dict
from sbirctl.core.errors import MismatchError, MissingError, few
from sbirctl.core.files import digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets import DATASETS, Dataset
from sbirctl.datasets.readers.exclude import EXCLUDED, check_patterns, excluded
from sbirctl.datasets.readers.naming import Ids, before_number, shown, stem
from sbirctl.datasets.readers.tree import File, ReadTrees, Tree
from sbirctl.store.manifest import Modality
from sbirctl.store.raw import RawDataset, RawItem

_SHOWN = 5


@dataclass(frozen=True)
class FolderOptions:
    """How the files belong together."""

    pairs: Literal["none", "stem"] = setting(
        "none", help="stem: a sketch <stem>-<k> or <stem>_<k> was drawn from the photo <stem>"
    )
    exclude: tuple[str, ...] | None = setting(
        None, help="shell patterns of files and folders that are left out"
    )


@DATASETS.register
class Folder(Dataset):
    """Two folders or archives of one's own."""

    name = "folder"
    title = "Your own photos and sketches, in sub-folders by class"
    inputs = ("photos", "sketches")
    Options = FolderOptions

    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: FolderOptions,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> RawDataset:
        """See `Dataset.read`."""
        ignored: Counter[str] = Counter()
        patterns = check_patterns(options.exclude or ())
        inputs = [_without(t, patterns) for t in (*trees["photos"], *trees["sketches"])]
        ids = Ids()
        items: list[RawItem] = []
        for index, tree in enumerate(inputs):
            ignored.update(tree.ignored)
            modality: Modality = "photo" if index < len(trees["photos"]) else "sketch"
            items += _items(tree, index, modality, ids, ignored)
        items = _one_class(items, name)
        remarks = _check_classes(items, inputs)
        if options.pairs == "stem":
            items, unpaired = _pair(items)
            remarks += unpaired
        if ignored["beside the class folders"]:
            count = ignored["beside the class folders"]
            remarks.append(f"{count:,} images lie beside the class folders and are left aside.")
        classes = {item.class_name for item in items}
        photos = sum(item.modality == "photo" for item in items)
        counted = f"{len(classes):,} classes" if len(classes) > 1 else "1 class"
        summary = f"{photos:,} photos, {len(items) - photos:,} sketches, {counted}."
        return RawDataset(
            dataset=self.name,
            items=tuple(items),
            read=ReadTrees(tuple(tree.read for tree in inputs)),
            identity=digest_json([[tree.identity for tree in inputs], to_dict(options)]),
            layout="sub-folders are classes",
            ignored=ignored,
            facts={"options": to_dict(options)},
            remarks=(summary, *remarks),
        )


def _without(tree: Tree, patterns: Sequence[bytes]) -> Tree:
    kept = tuple(file for file in tree.files if not excluded(file.path, patterns))
    if len(kept) == len(tree.files):
        return tree
    out = {EXCLUDED: len(tree.files) - len(kept)}
    return replace(tree, files=kept, ignored={**tree.ignored, **out})


def _items(
    tree: Tree, index: int, modality: Modality, ids: Ids, ignored: Counter[str]
) -> list[RawItem]:
    """Items of one side; the class is "" for files that lie directly in the folder."""
    base = _common_folder(tree)
    items: list[RawItem] = []
    inside = any(b"/" in file.path[len(base) :] for file in tree.files)
    for file in tree.files:
        first, sign, _ = file.path[len(base) :].partition(b"/")
        if inside and not sign:
            ignored["beside the class folders"] += 1
            continue
        class_name = shown(first) if sign else ""
        items.append(_item(file, index, modality, class_name, ids))
    return items


def _common_folder(tree: Tree) -> bytes:
    """An archive often holds everything in one folder of its own name: that is no class."""
    tops = {file.path.partition(b"/")[0] for file in tree.files}
    deep = all(file.path.count(b"/") >= 2 for file in tree.files)
    return next(iter(tops)) + b"/" if len(tops) == 1 and deep else b""


def _item(file: File, tree: int, modality: Modality, class_name: str, ids: Ids) -> RawItem:
    name = file.path.rpartition(b"/")[2]
    return RawItem(
        id=ids.new(modality, class_name, name),
        path=file.path,
        modality=modality,
        class_name=class_name,
        tree=tree,
        size=file.size,
        stamp=file.stamp,
    )


def _one_class(items: list[RawItem], name: str) -> list[RawItem]:
    """Name the class of files without a sub-folder: the other side's only one, or the data set."""
    named = {item.class_name for item in items} - {""}
    if not any(item.class_name == "" for item in items):
        return items
    if len(named) > 1:
        raise MismatchError(
            f"One side has {len(named)} class folders, the other none.",
            "Put photos and sketches into sub-folders of the same names.",
        )
    only = next(iter(named), name)
    return [
        i if i.class_name else replace(i, class_name=only, id=i.id.replace("//", f"/{only}/", 1))
        for i in items
    ]


def _check_classes(items: Sequence[RawItem], trees: Sequence[Tree]) -> list[str]:
    """Remarks on classes that one side lacks.

    Raises:
        MissingError: a side has no images.
        MismatchError: no class has both photos and sketches.
    """
    sides = {
        modality: {item.class_name for item in items if item.modality == modality}
        for modality in ("photo", "sketch")
    }
    for modality, tree in zip(sides, (trees[0], trees[-1]), strict=True):
        if not sides[modality]:
            left = [
                f"{count:,} {reason}" for reason, count in sorted(tree.ignored.items()) if count
            ]
            why = f" (left aside: {few(left, _SHOWN)})" if left else ""
            raise MissingError(
                f"There are no images in {tree.label}{why}.", "Is it the right folder?"
            )
    photos, sketches = sides["photo"], sides["sketch"]
    if not photos & sketches:
        raise MismatchError(
            f"No class has both photos and sketches: {few(sorted(photos), _SHOWN)} against "
            f"{few(sorted(sketches), _SHOWN)}.",
            "Give the sub-folders of both sides the same names.",
        )
    remarks = []
    if photos - sketches:
        remarks.append(f"Classes without sketches: {few(sorted(photos - sketches), _SHOWN)}.")
    if sketches - photos:
        remarks.append(f"Classes without photos: {few(sorted(sketches - photos), _SHOWN)}.")
    return remarks


def _pair(items: Sequence[RawItem]) -> tuple[list[RawItem], list[str]]:
    """Give sketches and photos their instances."""
    photos = {_instance(item, stem(_name(item))) for item in items if item.modality == "photo"}
    paired: list[RawItem] = []
    without = 0
    for item in items:
        own = stem(_name(item))
        if item.modality == "photo":
            paired.append(replace(item, instance=_instance(item, own)))
            continue
        wanted = (_instance(item, before_number(own)), _instance(item, own))
        instance = next((one for one in wanted if one in photos), "")
        without += not instance
        paired.append(replace(item, instance=instance))
    sketches = sum(item.modality == "sketch" for item in items)
    if without == sketches:
        example = next(i for i in items if i.modality == "sketch")
        raise MismatchError(
            f"No sketch is named after a photo; the first is {example.id}.",
            "Name sketches <photo>-<k> or <photo>_<k>, or leave out --pairs.",
        )
    remark = f"{without:,} of {sketches:,} sketches are named after no photo and have no pair."
    return paired, [remark] if without else []


def _name(item: RawItem) -> bytes:
    return item.path.rpartition(b"/")[2]


def _instance(item: RawItem, photo: str) -> str:
    return f"{item.class_name}/{photo}"
