"""Fetching a data set's archives into `<home>/downloads/<data set>/`.

`$SBIRCTL_MIRROR`, where it is set, is the address of a server that holds them all as
`<data set>/<file>`, for closed networks; nobody else is asked then.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

from sbirctl.core.download import Remote, fetch, size_of
from sbirctl.core.errors import MissingError, SbirctlError, UsageError, nearest
from sbirctl.core.files import digest_json, human_bytes, read_json, write_json
from sbirctl.core.home import home
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets.published.catalogue import Archive, Catalogue, Copy, catalogue

MIRROR = "SBIRCTL_MIRROR"


@dataclass(frozen=True)
class Planned:
    """One archive of a copy.

    Attributes:
        archive: what is known about it.
        remote: where it comes from.
        target: where it will lie.
        here: bytes that are here already.
        bytes: its size, 0 where nobody says.
    """

    archive: Archive
    remote: Remote
    target: Path
    here: int
    bytes: int


def downloads_folder(dataset: str) -> Path:
    """Where the archives of a data set are kept."""
    return home() / "downloads" / dataset


def mirror() -> str:
    """Address of the mirror, "" without one.

    Raises:
        UsageError: it is no address of a server.
    """
    address = os.environ.get(MIRROR, "").strip().rstrip("/")
    if address and urlsplit(address).scheme not in ("http", "https"):
        raise UsageError(
            f"{MIRROR}={address} is no server's address.", "Write it as http://host/folder."
        )
    return address


def choose_copy(dataset: str, name: str = "") -> Copy:
    """The copy to fetch: the one named, else the first whose links are not known to be dead.

    Raises:
        UsageError: there is no such copy.
        MissingError: all links of the data set are dead.
    """
    copies = {copy.name: copy for copy in catalogue(dataset).copies}
    if name:
        if name not in copies:
            raise UsageError(f"There is no copy {name!r} of {dataset}.", nearest(name, copies))
        return copies[name]
    if mirror():
        return next(iter(copies.values()))  # a mirror serves what has died elsewhere
    for copy in copies.values():
        if not copy.dead:
            return copy
    raise MissingError(
        f"No link to {dataset} is known to work.",
        f"Get it elsewhere, and type `sbirctl prepare {dataset} --from PATH`.",
    )


def plan(dataset: str, copy: Copy, *, ask: bool = True) -> list[Planned]:
    """What there is to fetch.

    Args:
        dataset: name of the reader.
        copy: which archives.
        ask: whether servers are asked for sizes that are not published.
    """
    planned = []
    for archive in copy.archives:
        target = downloads_folder(dataset) / archive.file
        remote = _remote(dataset, archive)
        part = target.with_name(f"{target.name}.part")
        here = next((p.stat().st_size for p in (target, part) if p.is_file()), 0)
        size = here if target.is_file() else archive.bytes
        if not size and ask and not remote.drive:
            size = size_of(remote)
        planned.append(Planned(archive, remote, target, here, size))
    return planned


def download(dataset: str, copy: Copy, *, report: Reporter = SILENT) -> list[Path]:
    """Fetch all archives of a copy; gives their paths.

    Raises:
        MissingError: one cannot be had.
        CorruptError: one is not what it was when it first arrived.
        SbirctlError: there is not enough space.
    """
    show_terms(dataset, report)
    planned = plan(dataset, copy)
    if any(not one.target.is_file() for one in planned):
        report.note(f"Fetching {copy.title}.")
        for line in dead_links(dataset, copy):
            report.note(line)
    _check_space(planned)
    return [fetch(one.remote, one.target, report=report) for one in planned]


def show_terms(dataset: str, report: Reporter) -> None:
    """Say the terms of use before the first download, and record that they were said."""
    known = catalogue(dataset)
    record = downloads_folder(dataset) / "terms.json"
    digest = digest_json([list(known.terms), list(known.citation)])
    if record.is_file() and read_json(record).get("digest") == digest:
        return
    for line in terms(known):
        report.note(line)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    said = {"terms": list(known.terms), "citation": list(known.citation)}
    write_json(record, {"dataset": dataset, "shown": when, "digest": digest, **said})


def terms(known: Catalogue) -> list[str]:
    """Terms of use and papers to cite, a line each."""
    return [*known.terms, *(f"Cite: {paper}." for paper in known.citation)]


def dead_links(dataset: str, chosen: Copy) -> list[str]:
    """Links of other copies that are known to be dead: why the chosen one was chosen."""
    return [
        f"Not taken: {copy.title}; {archive.file} ({archive.page}) is {archive.dead}."
        for copy in catalogue(dataset).copies
        for archive in copy.archives
        if archive.dead and copy.name != chosen.name
    ]


def describe(dataset: str, copy: Copy, store_bytes: int, *, report: Reporter = SILENT) -> None:
    """Say what would be fetched, from where, and how much space it takes."""
    known = catalogue(dataset)
    report.note(f"Would fetch {copy.title} (--copy {copy.name}):")
    planned = plan(dataset, copy)
    for one in planned:
        size = human_bytes(one.bytes) if one.bytes else "size unknown"
        here = f", {human_bytes(one.here)} of it here already" if one.here else ""
        holds = f": {one.archive.holds}" if one.archive.holds else ""
        dead = f" This link is {one.archive.dead}." if one.archive.dead and not mirror() else ""
        report.note(f"  {one.archive.file} ({size}{here}){holds}, from {one.remote.page}.{dead}")
    for other in known.copies:
        if other.name != copy.name:
            report.note(f"Also: {other.title} (--copy {other.name}).")
    for line in dead_links(dataset, copy):
        report.note(line)
    for place in known.places:
        report.note(f"Also, to be fetched by hand: {place}")
    for line in terms(known):
        report.note(line)
    report.note(_space_line(planned, store_bytes, dataset))


def _space_line(planned: list[Planned], store_bytes: int, dataset: str) -> str:
    sizes = [one.bytes for one in planned]
    told = human_bytes(sum(sizes)) if all(sizes) else "archives of unknown size"
    free = human_bytes(_free(downloads_folder(dataset)))
    return (
        f"Space: {told}, about as much again while .tar and .7z archives are unpacked, and at most "
        f"{human_bytes(store_bytes)} for the store; {free} are free. Nothing was fetched."
    )


def _remote(dataset: str, archive: Archive) -> Remote:
    base = mirror()
    instead = f"`sbirctl prepare {dataset} --from PATH`"
    if base:
        url = f"{base}/{quote(dataset)}/{quote(archive.file)}"
        return Remote(url, url, archive.bytes, instead=instead)
    drive = bool(archive.drive)
    return Remote(archive.address, archive.page, archive.bytes, drive, instead)


def _check_space(planned: list[Planned]) -> None:
    need = sum(max(0, one.bytes - one.here) for one in planned)
    free = _free(planned[0].target.parent)
    if need > free:
        raise SbirctlError(
            f"{human_bytes(need)} are to be fetched, and {human_bytes(free)} are free.",
            "Free some space, or set SBIRCTL_HOME to a larger disk.",
        )


def _free(folder: Path) -> int:
    while not folder.is_dir():
        folder = folder.parent
    return shutil.disk_usage(folder).free
