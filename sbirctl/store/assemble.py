"""One deterministic pass from part files to the finished store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import MissingError
from sbirctl.core.files import atomic_open
from sbirctl.store.manifest import (
    MODALITIES,
    Items,
    Modality,
    count_items,
    items_to_json,
    quote_path,
    store_digest,
)
from sbirctl.store.parts import PartTask, read_part
from sbirctl.store.pixels import Kept, write_images
from sbirctl.store.pool import Workers
from sbirctl.store.reader import IMAGES, MANIFEST, SCHEMA
from sbirctl.store.source import RawItem, Source


@dataclass
class _Survey:
    """What the parts hold, gathered in one pass over their footers."""

    kept: list[RawItem] = field(default_factory=list)
    digest: list[str] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    copy_of: list[int] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    parts: list[Kept] = field(default_factory=list)


def assemble(
    folder: Path,
    tasks: Sequence[PartTask],
    source: Source,
    settings: dict[str, Any],
    workers: Workers,
) -> None:
    """Write `images.h5` and then `manifest.json`, whose presence says that the store is whole.

    Equal parts give equal bytes: nothing in either file tells the time, the place or the machine.

    Raises:
        MissingError: not one file could be read.
    """
    survey = _survey(tasks)
    if not survey.kept:
        raise MissingError(
            f"None of the {len(survey.skipped)} files found could be read.",
            f"The first: {survey.skipped[0]['path']}: {survey.skipped[0]['reason']}."
            if survey.skipped
            else "Is it the right folder?",
        )
    items = _items(survey, source.origins)
    digest = store_digest(items, settings)
    # A store that is made anew must not show its old manifest beside the new images.
    (folder / MANIFEST).unlink(missing_ok=True)
    attributes = {"schema": SCHEMA, "digest": digest}
    images = folder / IMAGES
    pixels = write_images(images, survey.parts, survey.rows, attributes, settings, workers)
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "name": folder.name,
        "dataset": source.dataset,
        "digest": digest,
        "settings": settings,
        "source": {"identity": source.identity, "layout": source.layout, **source.facts},
        "rows": {modality: survey.rows[modality] for modality in MODALITIES},
        "pixels": pixels,
        "counts": count_items(items),
        "ignored": dict(sorted(source.ignored.items())),
        "skipped": survey.skipped,
        "items": items_to_json(items),
    }
    _write_manifest(folder / MANIFEST, manifest)


def _survey(tasks: Sequence[PartTask]) -> _Survey:
    """Give rows: the first of equal bytes gets one, its copies share it."""
    found = _Survey()
    by_bytes: dict[tuple[Modality, str], int] = {}
    by_id: dict[str, int] = {}
    for task in tasks:
        part = read_part(task)
        modality, mask = task.items[0].modality, list[bool]()
        start = found.rows[modality]
        for item, digest, reason in zip(task.items, part.digests, part.reasons, strict=True):
            if reason:
                found.skipped.append(_skipped(item, reason))
                continue
            index, key = len(found.kept), (item.modality, digest)
            first = by_id.get(item.copy_of, by_bytes.get(key, -1))
            mask.append(first < 0)
            if first < 0:
                found.row.append(found.rows[item.modality])
                found.rows[item.modality] += 1
                by_bytes[key] = index
            else:
                first = first if found.copy_of[first] < 0 else found.copy_of[first]
                found.row.append(found.row[first])
                by_bytes.setdefault(key, first)
            found.copy_of.append(first)
            found.kept.append(item)
            found.digest.append(digest)
            by_id[item.id] = index
        chosen = np.array(mask, dtype=bool)
        found.parts.append(Kept(task.target, modality, chosen, part.checksums, start))
    return found


def _items(survey: _Survey, origins: tuple[str, ...]) -> Items:
    kept = survey.kept
    classes = tuple(sorted({item.class_name for item in kept}))
    instances = tuple(sorted({item.instance for item in kept} - {""}))
    label = {name: i for i, name in enumerate(classes)}
    instance = {name: i for i, name in enumerate(instances)} | {"": -1}
    return Items(
        id=tuple(item.id for item in kept),
        path=tuple(item.path for item in kept),
        modality=np.array([MODALITIES.index(i.modality) for i in kept], dtype=np.uint8),
        label=np.array([label[i.class_name] for i in kept], dtype=np.int32),
        instance=np.array([instance[i.instance] for i in kept], dtype=np.int32),
        origin=np.array([origins.index(i.origin) for i in kept], dtype=np.uint8),
        digest=tuple(survey.digest),
        row=np.array(survey.row, dtype=np.int64),
        copy_of=np.array(survey.copy_of, dtype=np.int64),
        classes=classes,
        instances=instances,
        origins=origins,
    )


def _skipped(item: RawItem, reason: str) -> dict[str, str]:
    return {
        "path": quote_path(item.path),
        "modality": item.modality,
        "class": item.class_name,
        "reason": reason,
    }


def _write_manifest(target: Path, manifest: dict[str, Any]) -> None:
    """JSON with one key a line, and one column of the items a line."""

    def lines(value: dict[str, Any]) -> str:
        return ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())

    head = lines({key: value for key, value in manifest.items() if key != "items"})
    with atomic_open(target, "w") as stream:
        stream.write(f'{{\n{head},\n"items": {{\n{lines(manifest["items"])}\n}}\n}}\n')
