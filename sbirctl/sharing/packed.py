"""A run as one file: a zip archive that is not compressed, its list first.

Of an archive from elsewhere only members that the list names are read, each into a place that the
list's rules decide, and no more bytes than the archive itself has. Nothing in it is executed.
"""

from __future__ import annotations

import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.files import atomic_path, display_path, human_bytes
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.sharing.package import LIST, MOST_LIST_BYTES, PackagedFile
from sbirctl.sharing.received import copy_bounded, take_in

ENDING = ".sbirctl.zip"
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes
_MOST_MEMBERS = 100
_END = b"PK\x05\x06"
_END_BYTES = 22
_ZIP64 = b"PK\x06\x06"
_ZIP64_BYTES = 76  # with the locator behind it
_LONGEST_COMMENT = 65535
_DAMAGE = (zipfile.BadZipFile, EOFError, ValueError, LookupError, NotImplementedError, RuntimeError)


def pack(target: Path, texts: Mapping[str, bytes], places: Mapping[str, Path]) -> None:
    """Write an archive.

    Args:
        target: the file.
        texts: members by name, the first ones.
        places: files by the names they get.
    """
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in texts.items():
            archive.writestr(_member(name), data)
        for name, path in places.items():
            member = _member(name)
            member.file_size = path.stat().st_size
            with open(path, "rb") as source, archive.open(member, "w") as stream:
                while data := source.read(1 << 20):
                    stream.write(data)


def unpack(path: Path, report: Reporter = SILENT) -> Path:
    """The folder of the run in an archive, in this home.

    Raises:
        MissingError: there is no such file.
        CorruptError: it is no packed run, damaged, a trap, or a file in it is another than listed.
    """
    called = display_path(path.name)
    if not path.is_file():
        raise MissingError(f"There is no file {display_path(path)}.", "Check its name.")
    _refuse_many(path, called)
    with ExitStack() as held:
        with _damage(called):
            archive = held.enter_context(zipfile.ZipFile(path))
            members = _members(archive, path.stat().st_size, called)

        def fetch(name: str, entry: PackagedFile, folder: Path) -> None:
            if name not in members:
                raise _refused(called, f"it holds no {name}")
            with _damage(called), archive.open(members[name]) as stream:
                copy_bounded(stream.read, entry, folder / name, name, called)

        place = Path(held.enter_context(tempfile.TemporaryDirectory()))
        fetch(LIST, PackagedFile(MOST_LIST_BYTES, ""), place)
        return take_in(place / LIST, called, "", fetch, report)


@contextmanager
def _damage(called: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise CorruptError(
            f"{called} is damaged: {error or type(error).__name__}.",
            "Nothing of it was kept. Get it again.",
        ) from error


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _WHEN)
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    member.create_system = 3
    return member


def _refuse_many(path: Path, called: str) -> None:
    """Raise CorruptError where the end of the archive claims more members than a run has.

    zipfile reads all their names at once.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        stream.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT))
        tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise _refused(called, "it is no zip archive, or its end is missing")
    count, length = struct.unpack_from("<HI", tail, at + 10)
    if at >= _ZIP64_BYTES and tail.startswith(_ZIP64, at - _ZIP64_BYTES):  # where it is, it holds
        count, length = struct.unpack_from("<QQ", tail, at - _ZIP64_BYTES + 32)
    if count > _MOST_MEMBERS or length > MOST_LIST_BYTES:
        raise _refused(called, f"it claims {count} members, and {human_bytes(length)} of names")


def _members(archive: zipfile.ZipFile, size: int, called: str) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise _refused(called, f"{display_path(name[:60])!r} in it is compressed")
        if member.header_offset < 0:  # a seek would fail as one of the disk does
            raise _refused(called, f"{display_path(name[:60])!r} would begin before it")
        if name in found:
            raise _refused(called, f"{display_path(name[:60])!r} is in it twice")
        found[name] = member
    if len(found) > _MOST_MEMBERS or sum(one.file_size for one in found.values()) > size:
        raise _refused(called, "its members have more bytes than it has")
    return found


def _refused(called: str, problem: str) -> CorruptError:
    return CorruptError(f"{called} is refused: {problem}.", "Nothing of it was kept.")
