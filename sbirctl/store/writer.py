"""Making a store: part files first, by as many processes as wanted, then one assembly."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

from sbirctl.core.config import setting, to_dict
from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.files import human_bytes, lock
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.store.assemble import assemble
from sbirctl.store.images import MAX_PIXELS
from sbirctl.store.manifest import MODALITIES, Modality
from sbirctl.store.parts import PartTask, make_part, plan_parts
from sbirctl.store.pixels import shape_of
from sbirctl.store.pool import Workers
from sbirctl.store.reader import IMAGES, MANIFEST, store_folder
from sbirctl.store.source import RawItem, Source

PARTS = "parts"


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
    source: Source,
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
    with store_lock(folder):
        write_store(folder, source, settings or StoreSettings(), workers=workers, report=report)
    return folder


def store_lock(folder: Path) -> AbstractContextManager[None]:
    """Keeps a second writer away from a store."""
    return lock(folder / ".lock", busy=f"The data set {folder.name!r} is being prepared")


def write_store(
    folder: Path,
    source: Source,
    settings: StoreSettings,
    *,
    workers: int | None = None,
    report: Reporter = SILENT,
) -> None:
    """`build_store` for a caller who holds the lock."""
    values = to_dict(settings)
    items = _sorted(source)
    parts = folder / PARTS
    tasks = plan_parts(items, source.read, values, source.identity, parts)
    todo = [task for task in tasks if not task.target.exists()]
    _clean(folder, {task.target.name for task in tasks})
    _check_space(folder, items, todo, settings)
    if len(todo) < len(tasks):
        report.note(f"Continuing: {len(tasks) - len(todo)} of {len(tasks)} parts are there.")
    done = sum(len(task.items) for task in tasks) - sum(len(task.items) for task in todo)
    try:
        with Workers(workers) as pool:
            with report.bar("reading images", total=len(items), done=done) as advance:
                for count in pool.each(make_part, todo):
                    advance(count)
            assemble(folder, tasks, source, values, pool)
    except MissingError:  # the source was not readable at all; next time it may be
        shutil.rmtree(parts, ignore_errors=True)
        raise
    shutil.rmtree(parts, ignore_errors=True)


def _sorted(source: Source) -> list[RawItem]:
    order = {origin: place for place, origin in enumerate(source.origins)}

    def place(item: RawItem) -> tuple[int, str, int, bytes, str]:
        modality = MODALITIES.index(item.modality)
        return modality, item.class_name, order[item.origin], item.path, item.id

    items = sorted(source.items, key=place)
    if len({item.id for item in items}) != len(items):
        raise AssertionError(f"the reader {source.dataset!r} gave two items one id")
    return items


def _clean(folder: Path, wanted: set[str]) -> None:
    """Remove what a killed writer left, and parts of other sources or settings."""
    for path in (folder / PARTS).glob("*"):
        if path.name not in wanted:
            path.unlink()
    for name in (IMAGES, MANIFEST):
        for path in folder.glob(f".{name}.*"):
            path.unlink()


def pixel_bytes(items: Sequence[RawItem], settings: StoreSettings) -> int:
    """How much the images of so many items take, uncompressed and without regard to copies."""
    photos = sum(item.modality == "photo" for item in items)
    rows: dict[Modality, int] = {"photo": photos, "sketch": len(items) - photos}
    return sum(prod(shape_of(modality, n, settings.size)) for modality, n in rows.items())


def _check_space(
    folder: Path, items: Sequence[RawItem], todo: Sequence[PartTask], settings: StoreSettings
) -> None:
    """Parts and the assembled file exist side by side for a moment."""
    needed = pixel_bytes(items, settings)
    needed += sum(pixel_bytes(task.items, settings) for task in todo)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SbirctlError(
            f"Preparing {folder.name!r} needs {human_bytes(needed)}; {human_bytes(free)} are free.",
            "Free some space, set SBIRCTL_HOME to a larger disk, or take a smaller --size.",
        )
