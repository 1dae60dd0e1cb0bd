"""Parts of a gallery: immutable files that say what some files held, with the new vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import digest_json, display_path
from sbirctl.datasets.readers.tree import File
from sbirctl.galleries.listing import (
    Entry,
    from_columns,
    pack_ids,
    read_npz,
    to_columns,
    unpack_ids,
    write_npz,
)
from sbirctl.store.manifest import quote_path

ENDING = ".npz"


@dataclass(frozen=True)
class Part:
    """What came of some files.

    Attributes:
        entries: one a file, in their order.
        ids: digests of the photos first met here.
        vectors: (len(ids), dim) float16, L2-normalised.
    """

    entries: tuple[Entry, ...]
    ids: tuple[str, ...]
    vectors: np.ndarray


def part_name(files: Sequence[File]) -> str:
    """Name of the part of these files, so that a stopped call finds it again."""
    content = [[quote_path(file.path), file.size, file.stamp] for file in files]
    return f"{digest_json(content)[:32]}{ENDING}"


def write_part(path: Path, part: Part) -> None:
    """Put a part into place; it is there whole or not at all."""
    columns = to_columns(part.entries)
    write_npz(path, {**columns, "ids": pack_ids(part.ids), "vectors": part.vectors})


def read_part(path: Path) -> Part:
    """A part again.

    Raises:
        CorruptError: it is damaged or gone.
    """
    columns = read_npz(path)
    try:
        ids = tuple(unpack_ids(columns["ids"]))
        part = Part(tuple(from_columns(columns)), ids, columns["vectors"])
    except (KeyError, ValueError, IndexError) as error:
        raise CorruptError(
            f"{display_path(path)} lacks {error}.", "Index again with --fresh."
        ) from error
    return part
