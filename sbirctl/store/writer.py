"""Making a store: part files first, by as many processes as wanted, then one assembly."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sbirctl.core.config import setting, to_dict
from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.files import human_bytes, lock
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.store.assemble import assemble
from sbirctl.store.images import MAX_PIXELS
from sbirctl.store.manifest import MODALITIES
from sbirctl.store.parts import PartTask, channels, make_part, plan_parts
from sbirctl.store.reader import IMAGES, MANIFEST, store_folder
from sbirctl.store.source import RawItem, Source

PARTS = "parts"
_FEW_PARTS = 2  # for so few, starting processes takes longer than the work


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
    with report.bar("reading images", total=len(items), done=done) as advance:
        _make_parts(todo, os.cpu_count() or 1 if workers is None else workers, advance)
    try:
        assemble(folder, folder.name, tasks, source, values)
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


def _check_space(
    folder: Path, items: Sequence[RawItem], todo: Sequence[PartTask], settings: StoreSettings
) -> None:
    """Parts and the assembled file exist side by side for a moment."""
    one = settings.size**2
    needed = sum(one * channels(i.modality) for i in items)
    needed += sum(one * channels(i.modality) for task in todo for i in task.items)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SbirctlError(
            f"Preparing {folder.name!r} needs {human_bytes(needed)}; {human_bytes(free)} are free.",
            "Free some space, set SBIRCTL_HOME to a larger disk, or take a smaller --size.",
        )


def _make_parts(tasks: Sequence[PartTask], workers: int, advance: Callable) -> None:
    if workers <= 1 or len(tasks) <= _FEW_PARTS:
        for task in tasks:
            advance(make_part(task))
        return
    try:
        with _pool(min(workers, len(tasks))) as pool:
            for future in as_completed([pool.submit(make_part, task) for task in tasks]):
                advance(future.result())
    except BrokenProcessPool as error:
        raise SbirctlError(
            "A process that was decoding images was killed, perhaps for lack of memory.",
            "The same command continues; --workers 1 needs least memory.",
        ) from error


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    # A fork would take over locks and threads of libraries that do not expect it.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it does, even when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # Pillow's, on oddities of files that decode all the same
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
