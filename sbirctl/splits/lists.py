"""Where the published lists lie: top-level `splits/` in a checkout, `splits/data` in a wheel."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.text import lines, read_text


@cache
def root() -> Traversable:
    """The folder of the published lists.

    Raises:
        MissingError: the installation carries none.
    """
    packed = files("sbirctl.splits") / "data"
    if packed.is_dir():
        return packed
    beside = Path(str(files("sbirctl"))).parent / "splits"
    if (beside / "spellings.tsv").is_file():
        return beside
    raise MissingError("This installation carries no class lists.", "Install sbirctl again.")


def datasets() -> tuple[str, ...]:
    """Data sets that have published lists, sorted."""
    return tuple(sorted(entry.name for entry in root().iterdir() if entry.is_dir()))


def list_names(dataset: str) -> tuple[str, ...]:
    """Names of a data set's published lists ("imagenet21"), sorted; without "classes"."""
    folder = root() / dataset
    if not dataset or not folder.is_dir():
        return ()
    stems = (e.name.removesuffix(".txt") for e in folder.iterdir() if e.name.endswith(".txt"))
    return tuple(sorted(stem for stem in stems if stem != "classes"))


def read_table(*path: str) -> list[dict[str, str]]:
    """Rows of a tab-separated table of the published data; lines starting with # are comments.

    Raises:
        MissingError: there is no such table.
        CorruptError: a row does not have the header's columns.
    """
    place = root().joinpath(*path)
    name = "/".join(path)
    if not place.is_file():
        raise MissingError(f"There is no table splits/{name}.")
    rows = list(
        csv.DictReader(
            [line for line in lines(read_text(place)) if line and not line.startswith("#")],
            delimiter="\t",
            restval=None,
        )
    )
    if any(None in row or None in row.values() for row in rows):
        raise CorruptError(f"splits/{name} has a row with too few or too many columns.")
    return rows
