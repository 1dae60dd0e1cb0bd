"""One deterministic pass from parts that are made to the finished store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.files import atomic_open, disk_advice
from sbirctl.store.manifest import MODALITIES, Items, count_items, items_to_json, store_digest
from sbirctl.store.pixels import digest_of
from sbirctl.store.pool import Workers
from sbirctl.store.raw import RawDataset
from sbirctl.store.reader import IMAGES, MANIFEST, SCHEMA
from sbirctl.store.rewrite import rewrite
from sbirctl.store.rows import Survey
from sbirctl.store.spool import Spool

MOST_SPARE = 1 / 16  # of the pixels; with more, writing them anew is worth its time


def assemble(
    folder: Path,
    found: Survey,
    source: RawDataset,
    settings: dict[str, Any],
    spool: Spool,
    workers: Workers,
) -> None:
    """Write `images.h5` and then `manifest.json`, whose presence says that the store is whole.

    Equal parts give equal bytes: nothing in either file tells the time, the place or the machine.
    """
    items = _items(found, source.origins)
    digest = store_digest(items, settings)
    checksums = {modality: found.moves[modality].checksums for modality in MODALITIES}
    attributes = {"schema": SCHEMA, "digest": digest}
    # A store that is made anew must not show its old manifest beside the new images.
    (folder / MANIFEST).unlink(missing_ok=True)
    if spool.path.exists():  # else it has become images.h5 before an earlier run was stopped
        target, encoding = folder / IMAGES, settings["encoding"]
        with disk_advice(target):
            spool.fill(found, source)
            if encoding == "raw" and spool.spare(found) <= MOST_SPARE:
                spool.finish(target, checksums, attributes)
            else:
                rewrite(target, spool, checksums, attributes, encoding, workers)
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "name": folder.name,
        "dataset": source.dataset,
        "digest": digest,
        "settings": settings,
        "source": {"identity": source.identity, "layout": source.layout, **source.facts},
        "rows": {modality: found.moves[modality].rows for modality in MODALITIES},
        "pixels": {modality: digest_of(checksums[modality]) for modality in MODALITIES},
        "counts": count_items(items),
        "ignored": dict(sorted(source.ignored.items())),
        "skipped": found.skipped,
        "items": items_to_json(items),
    }
    _write_manifest(folder / MANIFEST, manifest)


def _items(found: Survey, origins: tuple[str, ...]) -> Items:
    kept = found.kept
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
        digest=tuple(found.digest),
        row=np.array(found.row, dtype=np.int64),
        copy_of=np.array(found.copy_of, dtype=np.int64),
        classes=classes,
        instances=instances,
        origins=origins,
    )


def _write_manifest(target: Path, manifest: dict[str, Any]) -> None:
    """JSON with one key a line, and one column of the items a line."""

    def lines(value: dict[str, Any]) -> str:
        return ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())

    head = lines({key: value for key, value in manifest.items() if key != "items"})
    with atomic_open(target, "w") as stream:
        stream.write(f'{{\n{head},\n"items": {{\n{lines(manifest["items"])}\n}}\n}}\n')
