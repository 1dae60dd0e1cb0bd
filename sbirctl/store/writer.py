"""Making a store: shards first, by as many processes as wanted, then rows and the manifest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from sbirctl.core.config import setting, to_dict
from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError
from sbirctl.core.files import atomic_path, disk_advice, human_bytes, lock, move_into_place
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.store.images import MAX_PIXELS
from sbirctl.store.manifest import (
    MODALITIES,
    Items,
    Modality,
    count_items,
    items_to_json,
    store_digest,
    write_manifest,
)
from sbirctl.store.pixels import SCHEMA, PixelFile, digest_of, shape_of
from sbirctl.store.pool import Workers
from sbirctl.store.raw import RawDataset, RawItem
from sbirctl.store.reader import IMAGES, MANIFEST, store_folder
from sbirctl.store.rows import RowTable, assign_rows
from sbirctl.store.shards import (
    SHARD_IMAGES,
    Shard,
    ShardRecord,
    ShardTask,
    decode_shard,
    make_shard,
    plan_shards,
    record_path,
)

UNFINISHED = "unfinished"


@dataclass(frozen=True)
class StoreSettings:
    """How the images of a store are made; part of its identity."""

    size: int = setting(224, help="side of the images in pixels")
    max_pixels: int = setting(MAX_PIXELS, help="larger pictures are refused")

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 4096:
            raise UsageError(f"size={self.size} is no usable size.", "Choose 8 to 4096 pixels.")
        if self.max_pixels < 1:
            raise UsageError(f"max_pixels={self.max_pixels} leaves no picture.")


def build_store(
    name: str,
    source: RawDataset,
    settings: StoreSettings | None = None,
    *,
    workers: int | None = None,
    report: Reporter = SILENT,
) -> Path:
    """Make the store of that name, or continue one that was stopped; an existing one is replaced.

    The result depends on the source, the settings and the decoder's version alone, byte for byte:
    not on the number of workers, nor on how often the work was interrupted.

    Args:
        name: the data set's name, a folder below `<home>/datasets`.
        source: what to read.
        settings: size and limit.
        workers: processes; None for one a processor, 1 to stay in this process.
        report: for progress.

    Returns:
        The store's folder.

    Raises:
        SbirctlError: another process prepares it; no space; no file could be read.
    """
    folder = store_folder(name)
    with store_lock(folder), Workers(workers) as pool:
        write_store(folder, source, settings or StoreSettings(), pool, report=report)
    return folder


def store_lock(folder: Path) -> AbstractContextManager[None]:
    """Keeps a second writer away from a store."""
    return lock(folder / ".lock", busy=f"The data set {folder.name!r} is being prepared")


def expect_images(workers: Workers, count: int) -> None:
    """So many images are going to be read: let the processes start meanwhile."""
    workers.start(make_shard, count // SHARD_IMAGES)


def write_store(
    folder: Path,
    source: RawDataset,
    settings: StoreSettings,
    workers: Workers,
    *,
    beside: Callable[[Items], None] = lambda _: None,
    report: Reporter = SILENT,
) -> None:
    """`build_store` for a caller who holds the lock.

    Args:
        beside: writes what else belongs to the store, given its entries, before it counts as whole.
    """
    values = to_dict(settings)
    items = _sorted(source)
    shards, slots = plan_shards(items, values, source.identity)
    known = [shard for shard in shards if record_path(folder / UNFINISHED, shard).exists()]
    _clean(folder, known)
    pixels = _pixel_file(folder, slots, settings.size, keep=bool(known))
    _check_space(folder, pixels)
    if known:
        done = sum(len(shard.items) for shard in known)
        report.note(f"Continuing: {done:,} of {len(items):,} images were read before.")
    tasks = [ShardTask(shard, pixels, source.read, settings.max_pixels) for shard in shards]
    records: dict[str, ShardRecord] = {}
    with report.bar("reading images", total=len(items)) as advance:
        for task, record in _each_synced(pixels, workers, tasks):
            records[task.shard.name] = record
            advance(len(task.shard.items))
    table = assign_rows((shard, records[shard.name]) for shard in shards)
    if table.kept:
        _finish(folder, table, source, values, pixels, beside)
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    if not table.kept:
        raise _nothing_kept(table)


def _nothing_kept(table: RowTable) -> SbirctlError:
    if not table.skipped:
        return MissingError("There are no images.", "Is it the right folder?")
    first = table.skipped[0]
    return CorruptError(
        f"None of the {len(table.skipped)} files found could be read.",
        f"The first: {first['path']}: {first['reason']}.",
    )


def _each_synced(
    pixels: PixelFile, workers: Workers, tasks: Sequence[ShardTask]
) -> Iterator[tuple[ShardTask, ShardRecord]]:
    """Make all shards, syncing meanwhile, so that nobody waits for the disk at the end."""
    with (
        open(pixels.path, "r+b", buffering=0) as stream,
        ThreadPoolExecutor(1) as thread,
        disk_advice(pixels.path),
    ):
        sync = thread.submit(os.fsync, stream.fileno())
        for task, record in workers.each(make_shard, tasks):
            if sync.done():
                sync.result()
                sync = thread.submit(os.fsync, stream.fileno())
            yield task, record
        sync.result()


def _sorted(source: RawDataset) -> list[RawItem]:
    order = {origin: place for place, origin in enumerate(source.origins)}

    def place(item: RawItem) -> tuple[int, str, int, bytes, str]:
        modality = MODALITIES.index(item.modality)
        return modality, item.class_name, order[item.origin], item.path, item.id

    items = sorted(source.items, key=place)
    if len({item.id for item in items}) != len(items):
        raise AssertionError(f"the reader {source.dataset!r} gave two items one id")
    return items


def _pixel_file(folder: Path, slots: dict[Modality, int], size: int, *, keep: bool) -> PixelFile:
    """The unfinished pixel file: that of a stopped run if there are records of it, or a new one."""
    path = folder / UNFINISHED / IMAGES
    if keep:
        if not path.exists() and not (folder / MANIFEST).exists() and (folder / IMAGES).exists():
            os.replace(folder / IMAGES, path)  # only the manifest was missing
        found = PixelFile.open(path, slots, size)
        if found is not None:
            return found
    return PixelFile.create(path, slots, size)


def _clean(folder: Path, known: Iterable[Shard]) -> None:
    """Remove what a killed writer left, and records of other sources or settings."""
    unfinished = folder / UNFINISHED
    wanted = {IMAGES} | {record_path(unfinished, shard).name for shard in known}
    for path in unfinished.glob("*"):
        if path.name not in wanted:
            path.unlink()
    for name in (IMAGES, MANIFEST):
        for path in folder.glob(f".{name}.*"):
            path.unlink()


def pixel_bytes(counts: dict[Modality, int], size: int) -> int:
    """How much so many images take."""
    return sum(prod(shape_of(modality, n, size)) for modality, n in counts.items())


def _check_space(folder: Path, pixels: PixelFile) -> None:
    there = getattr(pixels.path.stat(), "st_blocks", 0) * 512
    needed = pixel_bytes(pixels.rows, pixels.size) - there
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SbirctlError(
            f"Preparing {folder.name!r} needs {human_bytes(needed)}; {human_bytes(free)} are free.",
            "Free some space, set SBIRCTL_HOME to a larger disk, or take a smaller --size.",
        )


def _finish(
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
