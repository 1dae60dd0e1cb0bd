"""Sketchy (Sangkloy et al. 2016) with the extended photos of DSH (Liu et al. 2017).

Layouts that are recognised, also in folders above or below, in folders and in archives:

- official: `256x256/{photo,sketch}/tx_<12 digits>/<class>/<file>`; names ending in `_ready`, as
  SAKE's repacked copy has them, too;
- the extended photos: `EXTEND_image_sketchy/<class>/<file>`, also `EXTEND_image_sketchy_ready` or
  `extended_photo`;
- one tree for both: `{train,val}/{sketch,photo}/<class>/<file>`, as ACNet's repacked copy has it.

A sketch `<stem>-<k>` was drawn from the photo `<stem>` of its class. The extension repeats the
12,500 original photos under their own names, and one as `camel/c.jpg`: those are copies of the
originals, whatever their bytes.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from sbirctl.core.config import setting
from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.core.files import digest_json, display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets import DATASETS
from sbirctl.datasets._naming import Ids, before_number, stem
from sbirctl.datasets._published import compare, published_counts
from sbirctl.datasets.source import Dataset
from sbirctl.datasets.tree import File, ReadTrees, Tree
from sbirctl.splits.spellings import canonical
from sbirctl.store.source import RawItem, Source

ORIGINS = ("original", "extended")
RENAMED = {("camel", "c"): "n02437136_5405"}  # the extension's name for an original photo
# Photos come in two variants; the other four of the sketches are placed in the plain photo.
PHOTO_VARIANTS = ("tx_000000000000", "tx_000100000000")
_LAYOUTS = (
    ("official", re.compile(rb"(?:.*/)?(?P<role>photo|sketch)/(?P<tx>tx_\d{12})(?:_ready)?")),
    ("extended", re.compile(rb"(?:.*/)?(?:EXTEND_image_sketchy(?:_ready)?|extended_photo)")),
    ("tree", re.compile(rb"(?P<top>(?:.*/)?)(?:train|val)/(?P<role>photo|sketch)")),
)
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


@dataclass(frozen=True)
class _Found:
    """A file with its place in a recognised layout."""

    tree: int
    file: File
    class_name: str
    name: bytes


# {(layout, role): {top folder as (tree, path): files}}
_Groups = dict[tuple[str, str], dict[tuple[int, bytes], list[_Found]]]


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
    ) -> Source:
        """See `Dataset.read`."""
        inputs = trees["from"]
        ignored: Counter[str] = Counter()
        for tree in inputs:
            ignored.update(tree.ignored)
        groups = _recognise(inputs, ignored)
        layout, photos, sketches, extended = _choose(groups, options, inputs, ignored)
        ids = Ids()
        originals = [_photo(found, "original", ids) for found in photos]
        items = originals + _extended(extended, originals, ids)
        items += [_sketch(found, ids) for found in sketches]
        kinds = {"sketches": "sketches", "photos": "photos", "extended": "extended photos"}
        comparison = compare(items, published_counts(self.name), kinds)
        return Source(
            dataset=self.name,
            items=tuple(items),
            read=ReadTrees(tuple(tree.read for tree in inputs)),
            identity=digest_json([[tree.identity for tree in inputs], asdict(options)]),
            layout=layout,
            origins=ORIGINS,
            ignored=ignored,
            facts={"options": asdict(options), "comparison": comparison.facts},
            remarks=(f"Layout: {layout}.", *comparison.lines, *_unpaired(items)),
        )


def _recognise(trees: Sequence[Tree], ignored: Counter[str]) -> _Groups:
    """Sort files by layout, role and the folder they lie below."""
    groups: _Groups = defaultdict(lambda: defaultdict(list))
    for index, tree in enumerate(trees):
        places: dict[bytes, tuple[tuple[str, str], bytes, str] | None] = {}
        for file in tree.files:
            folder, _, name = file.path.rpartition(b"/")
            if folder not in places:
                places[folder] = _place(tree.name + b"/" + folder if folder else tree.name)
            place = places[folder]
            if place is None:
                ignored["outside the layout"] += 1
            else:
                key, top, class_name = place
                groups[key][index, top].append(_Found(index, file, class_name, name))
    return groups


def _place(folder: bytes) -> tuple[tuple[str, str], bytes, str] | None:
    """(layout and role, top folder, class) of a folder whose last part names a class."""
    top, _, last = folder.rpartition(b"/")
    for layout, pattern in _LAYOUTS:
        found = pattern.fullmatch(top)
        if found is None:
            continue
        parts = found.groupdict()
        role = (parts.get("role") or b"photo").decode()
        if "tx" in parts:
            role += f" {parts['tx'].decode()}"
        place = parts.get("top", top)
        return (layout, role), place, canonical(display_path(last), "sketchy")
    return None


def _choose(
    groups: _Groups, options: SketchyOptions, trees: Sequence[Tree], ignored: Counter[str]
) -> tuple[str, list[_Found], list[_Found], list[_Found]]:
    """(layout in words, original photos, sketches, extended photos)."""

    def take(layout: str, role: str) -> list[_Found]:
        places = groups.pop((layout, role), {})
        if len(places) > 1:
            shown = " and ".join(sorted(_shown(place, trees) for place in places))
            raise MismatchError(
                f"There are several folders of the same files: {shown}.",
                "Give the one that is meant with --from.",
            )
        return next(iter(places.values()), [])

    extended = take("extended", "photo")
    if any(layout == "official" for layout, _ in groups):
        photo = options.variant if options.variant in PHOTO_VARIANTS else PHOTO_VARIANTS[0]
        sketches = take("official", f"sketch {options.variant}")
        photos = take("official", f"photo {photo}")
        words = f"official, {options.variant}"
        _must_have(sketches, f"sketches of {options.variant}", groups)
        _must_have(photos or extended, f"photos of {photo}", groups)
    else:
        sketches, photos = take("tree", "sketch"), take("tree", "photo")
        words = "one tree of train and val"
        _must_have(sketches, "sketches of Sketchy", groups)
        _must_have(photos, "photos of Sketchy", groups)
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


def _must_have(files: Sequence[_Found], what: str, groups: _Groups) -> None:
    if not files:
        others = sorted({role for layout, role in groups if layout == "official"})
        hint = f"There are: {', '.join(others)}." if others else _EXPECTED
        raise MissingError(f"There are no {what}.", hint)


def _shown(place: tuple[int, bytes], trees: Sequence[Tree]) -> str:
    tree, top = place
    inside = top.removeprefix(trees[tree].name).strip(b"/")
    return os.path.join(trees[tree].label, display_path(inside))


def _photo(found: _Found, origin: str, ids: Ids) -> RawItem:
    kind = "extended" if origin == "extended" else "photo"
    key = stem(found.name)
    original = RENAMED.get((found.class_name, key), key) if kind == "extended" else key
    return _item(found, "photo", ids, kind, f"{found.class_name}/{original}", origin)


def _sketch(found: _Found, ids: Ids) -> RawItem:
    photo = before_number(stem(found.name), "-")
    instance = f"{found.class_name}/{photo}" if photo else ""
    return _item(found, "sketch", ids, "sketch", instance, "original")


def _extended(files: Iterable[_Found], originals: Sequence[RawItem], ids: Ids) -> list[RawItem]:
    """Extended photos; those that repeat an original say so."""
    by_instance = {item.instance: item.id for item in originals}
    made = (_photo(found, "extended", ids) for found in files)
    return [replace(item, copy_of=by_instance.get(item.instance, "")) for item in made]


def _item(
    found: _Found,
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
