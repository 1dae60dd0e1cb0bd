"""Folders and archives as trees of files: .zip read in place, .tar.* and .7z unpacked first."""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
from pathlib import Path

from sbirctl.core.errors import CorruptError, MissingError, UsageError
from sbirctl.core.files import digest_bytes, digest_json, display_path
from sbirctl.datasets.readers import _zip
from sbirctl.datasets.readers._unpack import unpack, unpacked_tree, untar
from sbirctl.datasets.readers.tree import Tree, folder_tree

_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_ENDS_BYTES = 1 << 20
_DAMAGE = (*_zip.DAMAGE, tarfile.TarError, lzma.LZMAError)


def peek(path: Path) -> Path | Tree:
    """A folder's files, which are quick to list; an archive as it is."""
    return folder_tree(path) if path.is_dir() else path


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
    kind = _kind(path)
    try:
        if kind == "zip":
            return _zip.zip_tree(path, identity)
        return _unpacked(path, kind, work / identity[:24], identity)
    except _DAMAGE as error:
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
        from sbirctl.datasets.readers import _seven

        try:
            unpack(path, _seven.unseven, target)
        except _seven.DAMAGE as error:
            raise ValueError(str(error) or type(error).__name__) from error
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
        head = stream.read(len(_SEVEN_ZIP))
    if head == _SEVEN_ZIP:
        return "7z"
    if zipfile.is_zipfile(path):
        return "zip"
    if tarfile.is_tarfile(path):
        return "tar"
    raise UsageError(
        f"{display_path(path)} is no archive that can be read.",
        "Give a folder, or a .zip, .tar, .tar.gz, .tar.bz2, .tar.xz or .7z file that is whole.",
    )
