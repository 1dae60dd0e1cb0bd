"""What a data set's publisher and its users say about it: `<data set>.toml` beside the reader.

Terms of use, where its archives can be had and in which copies, and how many files each source
says there are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

KINDS = ("sketches", "photos", "extended")


@dataclass(frozen=True)
class Archive:
    """A file to be fetched.

    Attributes:
        file: its name; a mirror serves it as `<mirror>/<data set>/<file>`.
        url: address, "" for a file on Google Drive.
        drive: id on Google Drive.
        resource_key: needed with older ids.
        bytes: size, 0 where nobody says.
        holds: what is in it.
        dead: since when it is known not to answer, "" for those that did.
    """

    file: str
    url: str = ""
    drive: str = ""
    resource_key: str = ""
    bytes: int = 0
    holds: str = ""
    dead: str = ""

    @property
    def page(self) -> str:
        """Where a person opens it in a browser."""
        if not self.drive:
            return self.url
        key = f"?resourcekey={self.resource_key}" if self.resource_key else ""
        return f"https://drive.google.com/file/d/{self.drive}/view{key}"

    @property
    def address(self) -> str:
        """What is fetched."""
        if not self.drive:
            return self.url
        key = f"&resourcekey={self.resource_key}" if self.resource_key else ""
        return f"https://drive.google.com/uc?export=download&id={self.drive}{key}"


@dataclass(frozen=True)
class Copy:
    """Archives that together are the data set.

    Attributes:
        name: what a person types after `--copy`.
        title: whose copy, in words.
        archives: all of them are needed.
    """

    name: str
    title: str
    archives: tuple[Archive, ...]

    @property
    def dead(self) -> bool:
        """Whether one of its links is known to be dead."""
        return any(archive.dead for archive in self.archives)


@dataclass(frozen=True)
class Catalogue:
    """All that is known about one data set.

    Attributes:
        terms: licence and terms of use, one line each.
        citation: the papers to cite.
        copies: the publisher's first.
        published: per source the counts it gives: {"source": …, "sketches": …, "photos": …}.
        places: further places, for people only.
    """

    terms: tuple[str, ...] = ()
    citation: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()
    published: tuple[Mapping[str, Any], ...] = ()
    places: tuple[str, ...] = field(default_factory=tuple)

    def totals(self, *kinds: str) -> dict[str, int]:
        """The first published total of each kind."""
        result: dict[str, int] = {}
        for row in self.published:
            for kind in kinds:
                if kind in row:
                    result.setdefault(kind, row[kind])
        return result


@cache
def catalogue(dataset: str) -> Catalogue:
    """What is known about a data set; an empty one where there is no file."""
    place = files("sbirctl.datasets").joinpath(f"{dataset}.toml")
    if not place.is_file():
        return Catalogue()
    data = tomllib.loads(place.read_text("utf-8"))
    copies = [
        Copy(one["name"], one["title"], tuple(Archive(**entry) for entry in one["archive"]))
        for one in data.get("copy", [])
    ]
    return Catalogue(
        tuple(data.get("terms", [])),
        tuple(data.get("citation", [])),
        tuple(copies),
        tuple(data.get("published", [])),
        tuple(data.get("places", [])),
    )
