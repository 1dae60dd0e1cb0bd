"""From shards that are made to the finished store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import atomic_path, disk_advice, move_into_place
from sbirctl.store.manifest import Items, count_items, items_to_json, store_digest, write_manifest
from sbirctl.store.pixels import SCHEMA, PixelFile, digest_of
from sbirctl.store.raw import RawDataset
from sbirctl.store.reader import IMAGES, MANIFEST
from sbirctl.store.rows import RowTable
from sbirctl.store.shards import ShardTask, decode_shard


def finish(
    folder: Path,
    table: RowTable,
    source: RawDataset,
    settings: dict[str, Any],
    pixels: PixelFile,
    beside: Callable[[Items], None],
) -> None:
    """Write `images.h5` and then `manifest.json`, whose presence says that the store is whole.

    Equal pixels give equal bytes: nothing in either file tells the time, the place or the machine.

    Args:
        beside: writes the files that stand beside them, before the manifest.

    Raises:
        SbirctlError: a file has changed meanwhile.
    """
    _write_fallbacks(table, source, pixels, settings["max_pixels"])
    items = table.items(source.origins)
    digest = store_digest(items, settings)
    rows = {modality: len(slots) for modality, slots in table.slots.items()}
    # A store that is made anew must not show its old manifest beside the new images.
    (folder / MANIFEST).unlink(missing_ok=True)
    target = folder / IMAGES
    if rows == pixels.rows:  # every slot is a row
        with disk_advice(target):
            pixels.finish(table.checksums, digest)
            move_into_place(pixels.path, target)
    else:
        with atomic_path(target) as temporary:
            pixels.copy(temporary, table.slots).finish(table.checksums, digest)
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "name": folder.name,
        "dataset": source.dataset,
        "digest": digest,
        "settings": settings,
        "source": {"identity": source.identity, "layout": source.layout, **source.facts},
        "rows": rows,
        "pixels": {modality: digest_of(sums) for modality, sums in table.checksums.items()},
        "counts": count_items(items),
        "ignored": dict(sorted(source.ignored.items())),
        "skipped": table.skipped,
        "remarks": table.remarks,
        "items": items_to_json(items),
    }
    beside(items)
    write_manifest(folder / MANIFEST, manifest)


def _write_fallbacks(
    table: RowTable, source: RawDataset, pixels: PixelFile, max_pixels: int
) -> None:
    """Write the pixels of copies whose originals could not be read.

    Raises:
        SbirctlError: one of them has changed meanwhile.
    """
    for shard, stated in table.fallbacks:
        record = decode_shard(ShardTask(shard, pixels, source.read, max_pixels))
        if record.checksums != (stated,):
            raise SbirctlError(
                f"{shard.items[0].id} has changed while it was being read.",
                "Type the command again.",
            )
