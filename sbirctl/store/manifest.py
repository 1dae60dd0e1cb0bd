"""What a store holds: one entry a source file, in columns."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote_from_bytes, unquote_to_bytes

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import atomic_open, digest_json
from sbirctl.core.forms import NATURAL, Each, Maybe

Modality = Literal["photo", "sketch"]
MODALITIES: tuple[Modality, Modality] = ("photo", "sketch")


@dataclass(frozen=True)
class Items:
    """The entries of a store, sorted by modality (photos first), class, origin and path.

    Every source file is an entry, copies too; pixels are kept once, so several entries can share
    a row. All columns have one length n.

    Attributes:
        id: `<modality>/<class>/<file name>` or the like, unique, printable.
        path: path below the source folder or archive, as bytes (`os.fsencode`).
        modality: (n,) uint8, index into `MODALITIES`.
        label: (n,) int32, index into `classes`.
        instance: (n,) int32, index into `instances`, -1 where the data set has no pairs. A sketch
            and the photo it was drawn from share it.
        origin: (n,) uint8, index into `origins` (for Sketchy "original" and "extended").
        digest: SHA-256 of the source bytes, hexadecimal.
        row: (n,) int64, row of the pixels in the modality's array of the store.
        copy_of: (n,) int64, index of the entry this one repeats (same bytes, or the publisher's
            copy under the same name), -1 for the first.
        classes: names of the classes, sorted; the canonical spelling of the data set's split.
        instances: names of the instances, sorted ("<class>/<photo stem>").
        origins: names of the origins, the preferred one first; ("",) where there is only one.
    """

    id: tuple[str, ...]
    path: tuple[bytes, ...]
    modality: np.ndarray
    label: np.ndarray
    instance: np.ndarray
    origin: np.ndarray
    digest: tuple[str, ...]
    row: np.ndarray
    copy_of: np.ndarray
    classes: tuple[str, ...]
    instances: tuple[str, ...]
    origins: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.id)

    @cached_property
    def group(self) -> np.ndarray:
        """(n,) int64: entries with one digest, or one pixel row, share a number.

        No split tears a group apart.
        """
        parent = list(range(len(self)))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        first: dict[object, int] = {}
        for i in range(len(self)):
            for key in (self.digest[i], (int(self.modality[i]), int(self.row[i]))):
                j = first.setdefault(key, i)
                a, b = root(i), root(j)
                if a != b:
                    parent[max(a, b)] = min(a, b)
        roots = np.array([root(i) for i in range(len(self))], dtype=np.int64)
        return np.unique(roots, return_inverse=True)[1].astype(np.int64)

    def where(self, modality: Modality) -> np.ndarray:
        """(k,) int64: the entries of one modality, copies included."""
        return np.flatnonzero(self.modality == MODALITIES.index(modality))


_INTEGERS = {
    "modality": np.uint8,
    "label": np.int32,
    "instance": np.int32,
    "origin": np.uint8,
    "row": np.int64,
    "copy_of": np.int64,
}
FORM = {
    "schema": int,
    "name": str,
    "dataset": str,
    "digest": str,
    "settings": {"size": range(1, 1 << 16), "max_pixels": int},
    "source": {"identity": str, "layout": str, "request": Maybe({"options": dict})},
    "rows": dict.fromkeys(MODALITIES, NATURAL),
    "pixels": dict.fromkeys(MODALITIES, str),
    "counts": Each(Each(NATURAL)),
    "ignored": Each(NATURAL),
    "skipped": [{"path": str, "reason": str, "modality": str}],
    "remarks": Maybe(Each({"count": NATURAL, "first": str})),
    "items": dict,
}
_TEXTS = ("id", "digest", "classes", "instances", "origins")
# Stays as it is in a quoted path: every printable ASCII sign but the escape itself.
_PLAIN = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")


def quote_path(path: bytes) -> str:
    """A path of any bytes as ASCII text; `%` and what is not printable ASCII as `%XX`."""
    if path.isascii() and b"%" not in path and (text := path.decode()).isprintable():
        return text  # nearly all are, and this is much faster
    return quote_from_bytes(path, safe=_PLAIN)


def items_to_json(items: Items) -> dict[str, object]:
    """The columns as JSON values; paths are quoted (`quote_path`)."""
    columns: dict[str, object] = {name: list(getattr(items, name)) for name in _TEXTS}
    columns["path"] = [quote_path(path) for path in items.path]
    columns |= {name: getattr(items, name).tolist() for name in _INTEGERS}
    return columns


def items_from_json(columns: dict[str, Any]) -> Items:
    """What `items_to_json` wrote.

    Raises:
        CorruptError: columns are missing, differ in length, or hold what they cannot.
    """
    try:
        values: dict[str, Any] = {name: tuple(columns[name]) for name in _TEXTS}
        if not all(set(map(type, values[name])) <= {str} for name in _TEXTS):
            raise TypeError("there are names that are no text")
        values["path"] = tuple(unquote_to_bytes(path) for path in columns["path"])
        for name, kind in _INTEGERS.items():
            values[name] = np.array(columns[name], dtype=kind)
        lengths = {len(values[n]) for n in ("id", "path", "digest", *_INTEGERS)}
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise CorruptError(f"The manifest's items are damaged: {error!r}.") from error
    if len(lengths) != 1:
        raise CorruptError(f"The manifest's columns have different lengths: {sorted(lengths)}.")
    items = Items(**values)
    for name, least, most in (
        ("modality", 0, len(MODALITIES)),
        ("label", 0, len(items.classes)),
        ("instance", -1, len(items.instances)),
        ("origin", 0, len(items.origins)),
        ("row", 0, len(items)),
        ("copy_of", -1, len(items)),
    ):
        column = getattr(items, name)
        if column.ndim != 1 or not ((least <= column) & (column < most)).all():
            raise CorruptError(f"The manifest's items are damaged: {name} is out of range.")
    return items


def count_items(items: Items) -> dict[str, dict[str, int]]:
    """Per class photos, sketches, and how many of them repeat others; the total under ""."""
    total: Counter[str] = Counter()
    counts: list[Counter[str]] = [Counter() for _ in items.classes]
    for label, modality, origin, copy in zip(
        items.label, items.modality, items.origin, items.copy_of, strict=True
    ):
        plural = ("photos", "sketches")[modality]
        keys = [plural, f"{plural}_{items.origins[origin]}"] if items.origins[origin] else [plural]
        if copy >= 0:
            keys.append("copies")
        for counter in (total, counts[label]):
            counter.update(keys)
    named = {name: dict(sorted(c.items())) for name, c in zip(items.classes, counts, strict=True)}
    return {"": dict(sorted(total.items()))} | named


def store_digest(items: Items, settings: Mapping[str, object]) -> str:
    """A store's identity: SHA-256 over its items and settings.

    Where the files lay is no part of it, so a folder and an archive of it give one digest.
    """
    columns = items_to_json(items)
    del columns["path"]
    return digest_json({"settings": settings, "items": columns})


def write_manifest(target: Path, manifest: Mapping[str, Any]) -> None:
    """JSON with one key a line, and one column of the items a line."""

    def lines(value: Mapping[str, object]) -> str:
        return ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())

    head = lines({key: value for key, value in manifest.items() if key != "items"})
    with atomic_open(target, "w") as stream:
        stream.write(f'{{\n{head},\n"items": {{\n{lines(manifest["items"])}\n}}\n}}\n')
