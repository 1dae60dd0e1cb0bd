"""FS-COCO (Chowdhury et al., ECCV 2022): scenes drawn by hand, their photos, and captions.

    images/<user>/<id>.jpg            photos of COCO
    raster_sketches/<user>/<id>.jpg   a sketch of the photo of the same id
    text/<user>/<id>.txt              what who drew it says of it
    val_normal.txt, val_unseen_user.txt   ids that are tested, one a line

Vector sketches are not read: they are NumPy files of Python objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sbirctl.core.config import setting
from sbirctl.core.errors import MissingError
from sbirctl.core.files import digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets import DATASETS, Dataset
from sbirctl.datasets.readers.naming import Ids, stem
from sbirctl.datasets.readers.tree import File, ReadTrees, Tree
from sbirctl.store.manifest import Modality
from sbirctl.store.raw import RawDataset, RawItem

CLASS = "scene"
_FOLDERS: dict[bytes, Modality] = {b"images": "photo", b"raster_sketches": "sketch"}
_TEXT = b"text"
_LISTS = {"normal": b"val_normal.txt", "unseen-user": b"val_unseen_user.txt"}
_LONGEST = 2000  # characters of a caption


@dataclass(frozen=True)
class SceneOptions:
    """Which of the published lists is tested."""

    test: Literal["normal", "unseen-user"] = setting(
        "normal",
        help="scenes that are tested: of people who are trained on too, or of others",
    )


@DATASETS.register
class FsCoco(Dataset):
    """Scene sketches of one class, each paired with its photo."""

    name = "fscoco"
    title = "FS-COCO: scenes drawn by 100 people from photos of COCO, each with a caption"
    page = "https://github.com/pinakinathc/fscoco"
    download = "images/, raster_sketches/, text/ and the lists val_normal.txt, val_unseen_user.txt"
    Options = SceneOptions

    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: SceneOptions,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> RawDataset:
        """See `Dataset.read`; several folders or archives are read as one.

        Raises:
            MissingError: there are no sketches, or no photos.
        """
        given, ids = trees["from"], Ids()
        items = [item for at, tree in enumerate(given) for item in _items(tree, at, ids)]
        for modality, folder in (("photo", "images"), ("sketch", "raster_sketches")):
            if not any(item.modality == modality for item in items):
                raise MissingError(
                    f"{given[0].label} holds no {folder}/<user>/<id>.jpg.",
                    "Name the folder or archive that has images/ and raster_sketches/.",
                )
        captions, problems = _captions(given, items)
        listed = _listed(given, _LISTS[options.test])
        return RawDataset(
            dataset=self.name,
            items=tuple(items),
            read=ReadTrees(tuple(tree.read for tree in given)),
            identity=digest_json([*(tree.identity for tree in given), asdict(options)]),
            layout="images/, raster_sketches/ and text/, a folder a user",
            ignored=_ignored(given, len(captions)),
            facts=asdict(options),
            remarks=(*_remarks(items, captions, listed, options.test), *problems),
            test_instances=tuple(sorted(f"{CLASS}/{one}" for one in listed)),
            captions=captions,
        )


def _items(tree: Tree, at: int, ids: Ids) -> list[RawItem]:
    found = []
    for file in tree.files:
        parts = file.path.split(b"/")
        if len(parts) < 3 or parts[-3] not in _FOLDERS:
            continue
        modality = _FOLDERS[parts[-3]]
        found.append(
            RawItem(
                id=ids.new(modality, CLASS, b"-".join(parts[-2:])),
                path=file.path,
                modality=modality,
                class_name=CLASS,
                instance=f"{CLASS}/{stem(parts[-1])}",
                tree=at,
                size=file.size,
                stamp=file.stamp,
            )
        )
    return found


def _captions(trees: Sequence[Tree], items: Sequence[RawItem]) -> tuple[dict[str, str], list[str]]:
    """By the id of the sketch of the same user and number; and what was wrong with some.

    Of several for one sketch the first is taken.
    """
    sketches = {_place(item.path): item.id for item in items if item.modality == "sketch"}
    found: dict[str, str] = {}
    wrong: Counter[str] = Counter()
    for tree in trees:
        for file in _texts(tree):
            sketch = sketches.get(_place(file.path))
            if sketch is None or sketch in found:
                wrong["of no sketch" if sketch is None else "second ones of a sketch"] += 1
                continue
            words = _words(tree.read(file.path))
            if words:
                found[sketch] = words[:_LONGEST]
                wrong["long"] += len(words) > _LONGEST
            else:
                wrong["no UTF-8" if words is None else "empty"] += 1
    cut = wrong.pop("long", 0)
    problems = [f"Captions left out: {n:,} are {why}." for why, n in sorted(wrong.items())]
    if cut:
        problems.append(f"Captions cut: {cut:,} have more than {_LONGEST:,} characters.")
    return found, problems


def _words(data: bytes) -> str | None:
    """A caption in one line; None for what is no UTF-8, as UTF-16 with its zeros."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else " ".join(text.split())


def _texts(tree: Tree) -> list[File]:
    """The captions' files, whatever they hold."""
    return [
        file
        for file in tree.others
        if file.path.split(b"/")[-3:-2] == [_TEXT] and file.path.lower().endswith(b".txt")
    ]


def _place(path: bytes) -> tuple[bytes, str]:
    """User and number."""
    return path.split(b"/")[-2], stem(path.split(b"/")[-1])


def _listed(trees: Sequence[Tree], name: bytes) -> set[str]:
    for tree in trees:
        for file in tree.others:
            if file.path.split(b"/")[-1] == name:
                return set(tree.read(file.path).decode("utf-8-sig", "replace").split())
    return set()


def _ignored(trees: Sequence[Tree], used: int) -> dict[str, int]:
    """Files left aside by reason; captions that are used are none of them."""
    found: dict[str, int] = {}
    for tree in trees:
        for reason, count in tree.ignored.items():
            found[reason] = found.get(reason, 0) + count
    if used:
        found["no image"] -= used
    return {reason: count for reason, count in found.items() if count}


def _remarks(
    items: Sequence[RawItem], captions: Mapping[str, str], listed: set[str], test: str
) -> list[str]:
    sketches = [item for item in items if item.modality == "sketch"]
    photos = {item.instance for item in items if item.modality == "photo"}
    found = [f"{len(sketches):,} sketches, {len(captions):,} of them with a caption."]
    if lonely := sum(item.instance not in photos for item in sketches):
        found.append(f"{lonely:,} sketches have no photo: no task uses them.")
    here = {item.instance.partition("/")[2] for item in sketches}
    file = _LISTS[test].decode()
    if not listed:
        found.append(f"There is no {file}: fg draws a fifth of the scenes to test on.")
    if missing := len(listed - here):
        found.append(f"{missing:,} scenes of {file} are not there.")
    if test == "unseen-user" and listed:
        users = {_place(one.path)[0] for one in sketches if _place(one.path)[1] in listed}
        both = [
            one
            for one in sketches
            if _place(one.path)[0] in users and _place(one.path)[1] not in listed
        ]
        if both:
            found.append(
                f"{len(both):,} sketches that are trained on are by people who are tested: {file} "
                "does not hold all of theirs."
            )
    return found
