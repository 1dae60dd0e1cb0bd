"""Runs that came from elsewhere: how they are taken in, and whether they are still what came."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.core.files import (
    digest_file,
    digest_json,
    display_path,
    human_bytes,
    lock,
    read_json,
    sync_folder,
    write_json,
)
from sbirctl.core.forms import check_form
from sbirctl.core.home import ORIGIN, received_runs, receiving_dir, runs_dir
from sbirctl.core.progress import Reporter
from sbirctl.sharing.package import LIST, Package, PackagedFile, read_list

_SHOWN = 12  # digits of a digest
_NOTHING = "Nothing of it was kept. Get it again, or ask who made it."
_FORM = {"schema": int, "source": str, "commit": str, "received": str, "list": str}


@dataclass(frozen=True)
class Origin:
    """Where a run came from.

    Attributes:
        source: its address on the hub, or the file's name.
        commit: of the hub, "" for a file.
        received: when, in UTC.
        list: SHA-256 of the package's list.
    """

    source: str
    commit: str
    received: str
    list: str

    def __str__(self) -> str:
        return f"{self.source} (commit {self.commit[:_SHOWN]})" if self.commit else self.source


def read_origin(folder: Path) -> Origin | None:
    """Where the run in a folder came from, None for one that was trained here.

    Raises:
        CorruptError: its record is damaged.
    """
    path = folder / ORIGIN
    if not path.is_file():
        return None
    hint = f"Type `sbirctl runs rm {folder.name}`, and get it again."
    try:
        found = read_json(path)
    except CorruptError as error:
        raise CorruptError(error.message, hint) from error
    check_form(found, _FORM, path, hint)
    return Origin(**{key: found[key] for key in _FORM if key != "schema"})


def latest_from(source: str) -> Path | None:
    """The run that was received last from an address, None for none."""
    found = [(one.received, folder) for one, folder in origins() if one.source == source]
    return max(found)[1] if found else None


def origins() -> list[tuple[Origin, Path]]:
    """Where runs came from, and their folders; `sbirctl runs` names records that are damaged."""
    found = []
    for folder in received_runs():
        with suppress(CorruptError):
            if (origin := read_origin(folder)) is not None:
                found.append((origin, folder))
    return found


def take_in(
    list_file: Path,
    source: str,
    commit: str,
    fetch: Callable[[str, PackagedFile, Path], None],
    report: Reporter,
) -> Path:
    """A run's folder in this home, once every file is the one that the list says.

    Args:
        list_file: the package's list, as it came.
        source, commit: see `Origin`.
        fetch: writes a file of the package below a folder, under the name it has in the package.
        report: for progress, in bytes.

    Raises:
        CorruptError: the list is refused, a file is another one, or another run is in the way.
        SbirctlError: no space, or another process takes it in.
    """
    package = read_list(list_file, source)
    listed = digest_file(list_file)
    target = runs_dir() / f"{package.run}-{digest_json([source, package.digest])[:8]}"
    origin = Origin(source, commit, datetime.now(UTC).isoformat(timespec="microseconds"), listed)
    place = receiving_dir() / target.name
    with lock(place.with_name(f".{target.name}.lock"), busy=f"{source} is being received"):
        if target.exists():
            _refuse_another(target, package, source)
            # another version's list of the same files has other bytes: the one that is here counts
            origin = replace(origin, list=digest_file(target / LIST))
        else:
            try:
                _fill(place, package, source, fetch, report)
            except CorruptError:
                shutil.rmtree(place)
                raise
            shutil.copyfile(list_file, place / LIST)
            _write_origin(place, origin)
            target.parent.mkdir(parents=True, exist_ok=True)
            place.rename(target)
            sync_folder(target.parent)
        _write_origin(target, origin)
    return target


def _refuse_another(folder: Path, package: Package, source: str) -> None:
    """Raise CorruptError where the run in a folder is damaged, or another than the package's."""
    if read_origin(folder) is not None:
        check_files(folder)
        if read_list(folder / LIST, source).digest == package.digest:
            return
    raise CorruptError(
        f"{display_path(folder)} is in the way: it holds another run than {source}.",
        "Nothing was received. Move that folder away first.",
    )


def check_files(folder: Path) -> None:
    """Nothing, where a received run's files are still those that came.

    Raises:
        CorruptError: one is another, or gone.
    """
    origin = read_origin(folder)
    assert origin is not None
    again = f"Type `sbirctl runs rm {folder.name}`, and get it again."
    listed = folder / LIST
    if not listed.is_file():
        raise CorruptError(f"{display_path(listed)} is gone.", again)
    _compare(f"{LIST} of {origin.source}", digest_file(listed), origin.list, again)
    for name, entry in read_list(listed, origin.source).files.items():
        if not (folder / name).is_file():
            raise CorruptError(f"{name} of {origin.source} is gone.", again)
        _compare(f"{name} of {origin.source}", digest_file(folder / name), entry.sha256, again)


def copy_bounded(
    read: Callable[[int], bytes], entry: PackagedFile, target: Path, name: str, source: str
) -> None:
    """Write what `read` gives to `target`: no more than the list says, and the bytes it says.

    Raises:
        CorruptError: it is longer or another file.
    """
    total, count = hashlib.sha256(), 0
    with open(target, "wb") as stream:
        while data := read(1 << 20):
            count += len(data)
            if count > entry.bytes:
                break
            total.update(data)
            stream.write(data)
    if count > entry.bytes:
        raise CorruptError(
            f"{name} of {source} is longer than the {human_bytes(entry.bytes)} it should have.",
            _NOTHING,
        )


def _fill(
    place: Path,
    package: Package,
    source: str,
    fetch: Callable[[str, PackagedFile, Path], None],
    report: Reporter,
) -> None:
    """All files of a package in one folder; those that an earlier call left there are used."""
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if package.bytes > free:
        raise SbirctlError(
            f"{source} has {human_bytes(package.bytes)}, and {human_bytes(free)} are free.",
            "Free some space, or set SBIRCTL_HOME to a larger disk.",
        )
    with report.bar("receiving", package.bytes) as advance:
        for name, entry in package.files.items():
            target = place / name
            target.parent.mkdir(exist_ok=True)
            if not (target.is_file() and digest_file(target) == entry.sha256):
                target.unlink(missing_ok=True)
                fetch(name, entry, place)
                found = digest_file(target)
                _compare(f"{name} of {source}", found, entry.sha256, _NOTHING)
            advance(entry.bytes)


def _compare(what: str, found: str, wanted: str, hint: str) -> None:
    if found != wanted:
        raise CorruptError(
            f"{what} has SHA-256 {found[:_SHOWN]}…, not {wanted[:_SHOWN]}… as it should.", hint
        )


def _write_origin(folder: Path, origin: Origin) -> None:
    write_json(folder / ORIGIN, {"schema": 1, **asdict(origin)})
