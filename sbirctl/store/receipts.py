"""What says that a part is made: a small file under the part's name, there when its pixels are."""

from __future__ import annotations

import json
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO

from sbirctl.core.files import atomic_open, disk_advice
from sbirctl.store.parts import Made, Part


def receipt_path(folder: Path, part: Part) -> Path:
    """Where the receipt of a part lies."""
    return folder / f"{part.name}.json"


def read_receipt(folder: Path, part: Part) -> Made | None:
    """What was found out while the part was made; None when that is still to be done."""
    try:
        facts = json.loads(receipt_path(folder, part).read_bytes())
    except (FileNotFoundError, ValueError):  # the system stopped before all of it was on the disk
        return None
    return Made(*(tuple(facts[key]) for key in ("digests", "reasons", "checksums")))


class Receipts:
    """Writes receipts beside the work, each after the pixels it vouches for are on the disk.

    Pixels are synced all the time, while others are decoded: nobody waits for the disk at the end
    if it is as fast as the decoding. Receipts themselves are not synced: a lost one costs a part.

    Args:
        pixels: the file of the pixels; receipts lie beside it.
    """

    def __init__(self, pixels: Path) -> None:
        self._path = pixels
        self._waiting: list[tuple[Part, Made]] = []
        self._flush: Future[None] | None = None

    def __enter__(self) -> Receipts:
        self._pixels: IO[bytes] = open(self._path, "r+b", buffering=0)
        self._thread = ThreadPoolExecutor(1)
        return self

    def keep(self, part: Part, made: Made) -> None:
        """The pixels of this part are written.

        Raises:
            SbirctlError: no space for an earlier one.
        """
        self._waiting.append((part, made))
        if self._flush is None or self._flush.done():
            self._next()

    def _next(self) -> None:
        if self._flush is not None:
            self._flush.result()
        batch, self._waiting = self._waiting, []
        self._flush = self._thread.submit(self._write, batch)

    def _write(self, batch: list[tuple[Part, Made]]) -> None:
        with disk_advice(self._path):
            os.fsync(self._pixels.fileno())
        for part, made in batch:
            with atomic_open(receipt_path(self._path.parent, part), "w", durable=False) as stream:
                stream.write(json.dumps(vars(made)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._waiting:
                self._next()
            if self._flush is not None:
                self._flush.result()
        finally:
            self._thread.shutdown()
            self._pixels.close()
