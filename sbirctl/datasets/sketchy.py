"""Sketchy (Sangkloy et al. 2016) with the extended photos of DSH (Liu et al. 2017).

Layouts that are recognised, also in folders above or below, in folders and in archives:

- official: `256x256/{photo,sketch}/tx_<12 digits>/<class>/<file>`; names ending in `_ready`, as
  SAKE's repacked copy has them, too;
- the extended photos: `EXTEND_image_sketchy/<class>/<file>`, also `EXTEND_image_sketchy_ready` or
  `extended_photo`;
- one tree for both: `{train,val}/{sketch,photo}/<class>/<file>`, as ACNet's repacked copy has it,
  or `{sketch,photo}/<class>/<file>`, as Sketch_LVM's.

Where file lists as SAKE's lie in what is given, only the files they name belong.

A sketch `<stem>-<k>` was drawn from the photo `<stem>` of its class. The extension repeats the
12,500 original photos under their own names, and one as `camel/c.jpg`: those are copies of the
originals, whatever their bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from sbirctl.core.config import setting
from sbirctl.core.errors import MissingError
from sbirctl.core.files import digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets import DATASETS, Dataset
from sbirctl.datasets.published.counts import compare, published_counts
from sbirctl.datasets.readers.layouts import (
    PLAIN_TREE,
    SPLIT_TREE,
    Groups,
    Layout,
    PlacedFile,
    recognise,
    take,
)
from sbirctl.datasets.readers.listfiles import UNLISTED, KeepListed, find_lists
from sbirctl.datasets.readers.naming import Ids, before_number, stem
from sbirctl.datasets.readers.tree import ReadTrees, Tree
from sbirctl.store.raw import RawDataset, RawItem

ORIGINS = ("original", "extended")
RENAMED = {("camel", "c"): "n02437136_5405"}  # the extension's name for an original photo
# Photos come in two variants; the other four of the sketches are placed in the plain photo.
PHOTO_VARIANTS = ("tx_000000000000", "tx_000100000000")
OFFICIAL = Layout(
    "official", re.compile(rb"(?:.*/)?(?P<role>photo|sketch)/(?P<tx>tx_\d{12})(?:_ready)?")
)
EXTENDED = Layout(
    "extended",
    re.compile(rb"(?:.*/)?(?:EXTEND_image_sketchy(?:_ready)?|extended_photo)"),
    role="photo",
)
TREES = (SPLIT_TREE, PLAIN_TREE)
_LAYOUTS = (OFFICIAL, EXTENDED, *TREES)
_EXPECTED = (
    "Expected are 256x256/photo/tx_…/<class>/ and 256x256/sketch/tx_…/<class>/, "
    "or {train,val}/{sketch,photo}/<class>/."
)


@dataclass(frozen=True)
class SketchyOptions:
    """Which of the published files are taken."""

    variant: Literal[
        "tx_000000000000",
        "tx_000100000000",
        "tx_000000000010",
        "tx_000000000110",
        "tx_000000001010",
        "tx_000000001110",
    ] = setting("tx_000000000000", help="how sketches lie on the canvas")
    extended: Literal["auto", "yes", "no"] = setting(
        "auto", help="the extended photos; auto takes them where they are"
    )


@DATASETS.register
class Sketchy(Dataset):
    """125 classes of photos and of sketches drawn from them."""

    name = "sketchy"
    title = "Sketchy: 125 classes, 75,481 sketches drawn from 12,500 photos, and 60,502 more photos"
    page = "https://sketchy.eye.gatech.edu"
    download = (
        "the archive of 256x256 sketches and photos (.7z) and, from the authors of DSH, the "
        "extended photos (EXTEND_image_sketchy, .zip)"
    )
    Options = SketchyOptions

    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: SketchyOptions,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> RawDataset:
        """See `Dataset.read`."""
        inputs = trees["from"]
        ignored: Counter[str] = Counter()
        for tree in inputs:
            ignored.update(tree.ignored)
        lists = find_lists(inputs)
        keep = KeepListed(lists, ignored)
        groups = recognise(inputs, _LAYOUTS, self.name, ignored, keep)
        unlisted = lists.hint() if ignored[UNLISTED] else ""
        layout, photos, sketches, extended = _choose(groups, options, inputs, ignored, unlisted)
        ids = Ids()
        originals = [_photo(found, "original", ids) for found in photos]
        items = originals + _extended(extended, originals, ids)
        items += [_sketch(found, ids) for found in sketches]
        layout += ", file lists" if lists else ""
        kinds = {"sketches": "sketches", "photos": "photos", "extended": "extended photos"}
        comparison = compare(items, published_counts(self.name), kinds)
        return RawDataset(
            dataset=self.name,
            items=tuple(items),
            read=ReadTrees(tuple(tree.read for tree in inputs)),
            identity=digest_json([[tree.identity for tree in inputs], asdict(options)]),
            layout=layout,
            origins=ORIGINS,
            ignored=ignored,
            facts={"options": asdict(options), "comparison": comparison.facts},
            remarks=(
                f"Layout: {layout}.",
                *lists.remarks(),
                *comparison.lines,
                *_unpaired(items),
            ),
        )


def _choose(
    groups: Groups,
    options: SketchyOptions,
    trees: Sequence[Tree],
    ignored: Counter[str],
    unlisted: str,
) -> tuple[str, list[PlacedFile], list[PlacedFile], list[PlacedFile]]:
    """(layout in words, original photos, sketches, extended photos).

    `unlisted` is the hint where file lists left files out.
    """

    extended = take(groups, [(EXTENDED.name, "photo")], trees)
    if any(layout == OFFICIAL.name for layout, _ in groups):
        photo = options.variant if options.variant in PHOTO_VARIANTS else PHOTO_VARIANTS[0]
        sketches = take(groups, [(OFFICIAL.name, f"sketch {options.variant}")], trees)
        photos = take(groups, [(OFFICIAL.name, f"photo {photo}")], trees)
        words = f"official, {options.variant}"
        _must_have(sketches, f"sketches of {options.variant}", groups, unlisted)
        _must_have(photos or extended, f"photos of {photo}", groups, unlisted)
    else:
        words = next((one.name for one in TREES if (one.name, "sketch") in groups), TREES[0].name)
        sketches = take(groups, [(one.name, "sketch") for one in TREES], trees)
        photos = take(groups, [(one.name, "photo") for one in TREES], trees)
        _must_have(sketches, "sketches of Sketchy", groups, unlisted)
        _must_have(photos, "photos of Sketchy", groups, unlisted)
        if any(found.name.startswith(b"ext_") for found in photos):
            photos, extended = [], photos
    for (_, role), places in groups.items():
        ignored[f"another variant: {role}"] += sum(map(len, places.values()))
    if options.extended == "no":
        ignored["extended photos"] += len(extended)
        extended = []
    elif options.extended == "yes" and not extended:
        raise MissingError(
            "There are no extended photos.", "Give their folder or archive with another --from."
        )
    words += ", with extended photos" if extended else ", without extended photos"
    return words, photos, sketches, extended


def _must_have(files: Sequence[PlacedFile], what: str, groups: Groups, unlisted: str) -> None:
    if not files:
        others = sorted({role for layout, role in groups if layout == OFFICIAL.name})
        hint = f"There are: {', '.join(others)}." if others else _EXPECTED
        raise MissingError(f"There are no {what}.", unlisted or hint)


def _photo(found: PlacedFile, origin: str, ids: Ids) -> RawItem:
    kind = "extended" if origin == "extended" else "photo"
    key = stem(found.name)
    original = RENAMED.get((found.class_name, key), key) if kind == "extended" else key
    return _item(found, "photo", ids, kind, f"{found.class_name}/{original}", origin)


def _sketch(found: PlacedFile, ids: Ids) -> RawItem:
    photo = before_number(stem(found.name), "-")
    instance = f"{found.class_name}/{photo}" if photo else ""
    return _item(found, "sketch", ids, "sketch", instance, "original")


def _extended(files: Iterable[PlacedFile], originals: Sequence[RawItem], ids: Ids) -> list[RawItem]:
    """Extended photos; those that repeat an original say so."""
    by_instance = {item.instance: item.id for item in originals}
    made = (_photo(found, "extended", ids) for found in files)
    return [
        replace(item, copy_of=by_instance[item.instance]) if item.instance in by_instance else item
        for item in made
    ]


def _item(
    found: PlacedFile,
    modality: Literal["photo", "sketch"],
    ids: Ids,
    kind: str,
    instance: str,
    origin: str,
) -> RawItem:
    file = found.file
    return RawItem(
        id=ids.new(kind, found.class_name, found.name),
        path=file.path,
        modality=modality,
        class_name=found.class_name,
        instance=instance,
        origin=origin,
        tree=found.tree,
        size=file.size,
        stamp=file.stamp,
    )


def _unpaired(items: Sequence[RawItem]) -> tuple[str, ...]:
    photos = {item.instance for item in items if item.modality == "photo"}
    count = sum(item.modality == "sketch" and item.instance not in photos for item in items)
    return (f"{count:,} sketches were drawn from photos that are not here.",) if count else ()
