"""Folders and archives as trees of files: .zip read in place, .tar.* and .7z unpacked first."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sbirctl.core.errors import CorruptError, MissingError, UsageError
from sbirctl.core.files import digest_bytes, digest_json, display_path
from sbirctl.datasets.readers import _zip
from sbirctl.datasets.readers._unpack import is_tar, unpack, unpacked_tree, untar
from sbirctl.datasets.readers.tree import Tree, folder_tree

_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_ENDINGS = (".zip", ".7z", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_ENDS_BYTES = 1 << 20
_DAMAGE = (*_zip.DAMAGE, tarfile.TarError)
# First bytes, for the archives that are cut before anything else tells what they are.
_ZIP = b"PK\x03\x04"
_USTAR, _USTAR_AT = b"ustar", 257
_PACKED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}


def peek(path: Path) -> Path | Tree:
    """A folder's files, which are quick to list; an archive as it is.

    Raises:
        UsageError: it is a pipe, device or the like.
    """
    if path.is_dir():
        return folder_tree(path)
    if path.exists() and not path.is_file():  # a pipe or device may have no end
        raise UsageError(
            f"{display_path(path)} is neither a folder nor a file.", "Give a folder or an archive."
        )
    return path


def identity_of(source: Path | Tree) -> str:
    """A digest that changes when a folder's listing or an archive does, quick to compute.

    Raises:
        MissingError: there is nothing at that path.
    """
    return source.identity if isinstance(source, Tree) else _fingerprint(source)


def open_tree(source: Path | Tree, work: Path) -> Tree:
    """The image files of a folder or an archive.

    Args:
        source: what `peek` gave for its path.
        work: where an archive may be unpacked; the caller removes it when it is done.

    Raises:
        MissingError: there is nothing at that path.
        UsageError: it is neither a folder nor an archive of a known kind.
        CorruptError: the archive is damaged, or grows beyond all reason.
        SbirctlError: not enough space to unpack it.
    """
    if isinstance(source, Tree):
        return source
    path, identity = source, _fingerprint(source)
    try:
        kind = _kind(path)
        if kind == "zip":
            return _zip.zip_tree(path, identity)
        return _unpacked(path, kind, work / identity[:24], identity)
    except _DAMAGE as error:
        if not _zip.is_damage(error):
            raise
        raise CorruptError(
            f"{display_path(path)} is damaged or incomplete: {error or type(error).__name__}.",
            "Fetch it again; a download may have stopped half-way.",
        ) from error


def _unpacked(path: Path, kind: str, target: Path, identity: str) -> Tree:
    if target.exists():
        return unpacked_tree(path, target, identity)
    if kind == "tar":
        unpack(path, untar, target)
    else:
        from sbirctl.datasets.readers._seven import unseven

        unpack(path, unseven, target)
    return unpacked_tree(path, target, identity)


def _fingerprint(path: Path) -> str:
    """Size, first and last MiB: reading tens of gigabytes would take longer than it is worth."""
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(_ENDS_BYTES)
            stream.seek(max(0, size - _ENDS_BYTES))
            return digest_json([size, digest_bytes(head), digest_bytes(stream.read())])
    except FileNotFoundError as error:
        raise MissingError(
            f"There is no folder or archive {display_path(path)}.", "Check what --from names."
        ) from error


def _kind(path: Path) -> str:
    with open(path, "rb") as stream:
        head = stream.read(tarfile.BLOCKSIZE)
    if head.startswith(_SEVEN_ZIP):
        return "7z"
    if zipfile.is_zipfile(path):
        return "zip"
    if is_tar(path):
        return "tar"
    if head.startswith(_ZIP) or head[_USTAR_AT:].startswith(_USTAR):
        raise EOFError("its end is missing")
    for magic, opened in _PACKED.items():
        if head.startswith(magic):
            with opened(path) as stream:
                if len(stream.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE:
                    raise EOFError("its end is missing")
    if path.name.lower().endswith(_ENDINGS):
        raise CorruptError(
            f"{display_path(path)} is empty, cut, damaged or no archive at all.",
            "Fetch it again; a download may have stopped half-way, or brought a web page.",
        )
    raise UsageError(
        f"{display_path(path)} is no archive that can be read.",
        "Give a folder, or a .zip, .tar, .tar.gz, .tar.bz2, .tar.xz or .7z file that is whole.",
    )
