"""Making a store: parts first, by as many processes as wanted, then one assembly."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

from sbirctl.core.config import setting, to_dict
from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError
from sbirctl.core.files import human_bytes, lock
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.store.assemble import assemble
from sbirctl.store.images import MAX_PIXELS
from sbirctl.store.manifest import MODALITIES, Modality
from sbirctl.store.parts import NO_PLACE, PART_IMAGES, Made, Part, make_part, plan_parts
from sbirctl.store.pixels import shape_of
from sbirctl.store.pool import Workers
from sbirctl.store.raw import RawDataset, RawItem
from sbirctl.store.reader import IMAGES, MANIFEST, store_folder
from sbirctl.store.receipts import Receipts, read_receipt, receipt_path
from sbirctl.store.rows import Survey, survey
from sbirctl.store.spool import Spool

PARTS = "parts"
PIXELS = "pixels"


@dataclass(frozen=True)
class StoreSettings:
    """How the images of a store are made; part of its identity."""

    size: int = setting(224, help="side of the images in pixels")
    encoding: Literal["raw", "gzip"] = setting("raw", help="raw is read fastest, gzip is smaller")
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
        settings: size and encoding.
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
    workers.start(make_part, count // PART_IMAGES)


def write_store(
    folder: Path,
    source: RawDataset,
    settings: StoreSettings,
    workers: Workers,
    *,
    report: Reporter = SILENT,
) -> None:
    """`build_store` for a caller who holds the lock."""
    values = to_dict(settings)
    items = _sorted(source)
    parts, places = plan_parts(items, values, source.identity)
    spool = Spool.plan(folder / PARTS / PIXELS, places, settings.size, settings.max_pixels)
    made = _made(folder, parts, spool)
    todo = [part for part in parts if part.name not in made]
    _clean(folder, spool, [part for part in parts if part.name in made])
    if made:
        report.note(f"Continuing: {len(made)} of {len(parts)} parts are there.")
    else:
        spool.make()
    _check_space(folder, spool, todo, settings)
    done = len(items) - sum(len(part.items) for part in todo)
    with report.bar("reading images", total=len(items), done=done) as advance:
        for part, result in _make(spool, todo, source, workers):
            made[part.name] = result
            advance(len(part.items))
    found = survey([(part, made[part.name]) for part in parts], places)
    if found.kept:
        assemble(folder, found, source, values, spool, workers)
    shutil.rmtree(spool.path.parent, ignore_errors=True)
    if not found.kept:
        raise _nothing_kept(found)


def _nothing_kept(found: Survey) -> SbirctlError:
    if not found.skipped:
        return MissingError("There are no images.", "Is it the right folder?")
    first = found.skipped[0]
    return CorruptError(
        f"None of the {len(found.skipped)} files found could be read.",
        f"The first: {first['path']}: {first['reason']}.",
    )


def _make(
    spool: Spool, todo: Sequence[Part], source: RawDataset, workers: Workers
) -> Iterator[tuple[Part, Made]]:
    if not todo:
        return
    tasks = [spool.task(part, source) for part in todo]
    with Receipts(spool.path) as receipts:
        for task, made in workers.each(make_part, tasks):
            receipts.keep(task.part, made)
            yield task.part, made


def _sorted(source: RawDataset) -> list[RawItem]:
    order = {origin: place for place, origin in enumerate(source.origins)}

    def place(item: RawItem) -> tuple[int, str, int, bytes, str]:
        modality = MODALITIES.index(item.modality)
        return modality, item.class_name, order[item.origin], item.path, item.id

    items = sorted(source.items, key=place)
    if len({item.id for item in items}) != len(items):
        raise AssertionError(f"the reader {source.dataset!r} gave two items one id")
    return items


def _made(folder: Path, parts: Sequence[Part], spool: Spool) -> dict[str, Made]:
    """By the parts' names, what an earlier run that was stopped has done already."""
    receipts = ((part.name, read_receipt(spool.path.parent, part)) for part in parts)
    made = {name: receipt for name, receipt in receipts if receipt is not None}
    if spool.path.exists():
        return made if len(made) == len(parts) or not spool.mark.exists() else {}
    # Perhaps the file of pixels has become images.h5, and only the manifest is missing.
    renamed = (folder / IMAGES).exists() and not (folder / MANIFEST).exists()
    return made if renamed and len(made) == len(parts) else {}


def _clean(folder: Path, spool: Spool, made: Iterable[Part]) -> None:
    """Remove what a killed writer left, and receipts of other sources or settings."""
    kept = {spool.path.name, spool.mark.name}
    wanted = kept | {receipt_path(folder, part).name for part in made}
    for path in (folder / PARTS).glob("*"):
        if path.name not in wanted:
            path.unlink()
    for name in (IMAGES, MANIFEST):
        for path in folder.glob(f".{name}.*"):
            path.unlink()


def pixel_bytes(counts: dict[Modality, int], size: int) -> int:
    """How much so many images take, uncompressed."""
    return sum(prod(shape_of(modality, n, size)) for modality, n in counts.items())


def _check_space(folder: Path, spool: Spool, todo: Sequence[Part], settings: StoreSettings) -> None:
    """Compressed images exist beside the uncompressed for a moment, and are seldom larger."""
    left = Counter[Modality]()
    for part in todo:
        left[part.modality] += sum(place != NO_PLACE for place in part.places)
    needed = pixel_bytes(left, settings.size)
    if settings.encoding != "raw":
        needed += pixel_bytes(spool.places, settings.size)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SbirctlError(
            f"Preparing {folder.name!r} needs {human_bytes(needed)}; {human_bytes(free)} are free.",
            "Free some space, set SBIRCTL_HOME to a larger disk, or take a smaller --size.",
        )
