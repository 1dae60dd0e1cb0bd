"""The files of a gallery in columns: what lay where, what it held, and why it was left out."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import atomic_open, display_path
from sbirctl.datasets.readers.tree import File

DIGEST_BYTES = 32
COPY = "copy of another photo"
# What the reasons of files begin with that were looked into and hold no photo, and what they are.
_KINDS = (
    ("it has", "too large"),
    ("the file is empty", "empty"),
    ("it is no image", "broken"),
    ("it cannot be decoded", "broken"),
)
_NONE = bytes(DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that was looked into.

    Attributes:
        file: absolute path, bytes and modification time; equal ones are the same, unchanged file.
        id: SHA-256 of its bytes, hexadecimal; "" where it could not be read.
        reason: why it is left out, "" for a photo of the gallery.
    """

    file: File
    id: str
    reason: str = ""


def to_columns(entries: Iterable[Entry]) -> dict[str, np.ndarray]:
    """Arrays for an NPZ file; `from_columns` takes them back."""
    rows = list(entries)
    reasons = sorted({row.reason for row in rows})
    number = {reason: i for i, reason in enumerate(reasons)}
    return {
        "paths": np.frombuffer(b"".join(row.file.path for row in rows), dtype=np.uint8),
        "ends": np.cumsum([len(row.file.path) for row in rows], dtype=np.int64),
        "sizes": np.array([row.file.size for row in rows], dtype=np.int64),
        "stamps": np.array([row.file.stamp for row in rows], dtype=np.int64),
        "digests": pack_ids(row.id for row in rows),
        "reason": np.array([number[row.reason] for row in rows], dtype=np.int32),
        "reasons": np.frombuffer(json.dumps(reasons).encode(), dtype=np.uint8),
    }


def from_columns(columns: Any) -> list[Entry]:
    """What `to_columns` made arrays of."""
    paths, ends = columns["paths"].tobytes(), columns["ends"].tolist()
    reasons = json.loads(columns["reasons"].tobytes())
    starts = [0, *ends[:-1]]
    return [
        Entry(File(paths[start:end], size, stamp), name, reasons[reason])
        for start, end, size, stamp, name, reason in zip(
            starts,
            ends,
            columns["sizes"].tolist(),
            columns["stamps"].tolist(),
            unpack_ids(columns["digests"]),
            columns["reason"].tolist(),
            strict=True,
        )
    ]


def pack_ids(ids: Iterable[str]) -> np.ndarray:
    """(n, 32) uint8 of hexadecimal digests; zeros for ""."""
    data = b"".join(bytes.fromhex(name) or _NONE for name in ids)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, DIGEST_BYTES)


def unpack_ids(packed: np.ndarray) -> list[str]:
    """Hexadecimal digests of (n, 32) uint8; "" for zeros."""
    data = packed.tobytes()
    cut = (data[i : i + DIGEST_BYTES] for i in range(0, len(data), DIGEST_BYTES))
    return ["" if one == _NONE else one.hex() for one in cut]


def write_npz(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Write arrays atomically; equal arrays give equal bytes."""
    with atomic_open(path) as stream:
        np.savez(stream, **columns)  # type: ignore[arg-type]


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Arrays that `write_npz` wrote; checksums are verified.

    Raises:
        CorruptError: the file is damaged or gone.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CorruptError(
            f"{display_path(path)} is damaged: {error}.",
            "Index again: `sbirctl index --name NAME --fresh`.",
        ) from error


def left_out(entries: Iterable[Entry]) -> Iterator[tuple[bytes, str]]:
    """(path, reason) of the files that are no photo of their own, copies too."""
    seen: set[str] = set()
    for entry in entries:
        if entry.reason:
            yield entry.file.path, entry.reason
        elif entry.id in seen:
            yield entry.file.path, COPY
        seen.add(entry.id)


def kind_of(reason: str) -> str:
    """What files are counted as that are left out for a reason: some tell sizes or damage."""
    return next((kind for start, kind in _KINDS if reason.startswith(start)), reason)


def write_left_out(path: Path, left: Sequence[tuple[bytes, str]]) -> None:
    """List what is left out for people: reason and path, a line each."""
    with atomic_open(path, "w") as stream:
        for name, reason in left:
            stream.write(f"{display_path(reason)}\t{display_path(name)}\n")
