"""Named arrays and values of an HDF5 file, as h5py, MATLAB, C or R write them.

A file may come from anywhere: nothing outside it is read, and what cannot be read is named.
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sbirctl.core.device import check_fits
from sbirctl.core.errors import CorruptError, MismatchError, SbirctlError
from sbirctl.core.files import announce_reading, display_path, refuse_shortage
from sbirctl.core.forms import refuse_other_case

if TYPE_CHECKING:
    import h5py

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
_BUILT_IN = 256  # filters with a number from here on are plug-ins


def is_hdf5(path: Path) -> bool:
    """Whether the signature stands at the start, or behind a user block as MATLAB 7.3 writes one.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as stream:
        size = stream.seek(0, 2)
        place = 0
        while place < size:
            stream.seek(place)
            if stream.read(8) == _SIGNATURE:
                return True
            place = 2 * place or 512
    return False


def read_hdf5(
    path: Path, wanted: Collection[str], mapped: Collection[str] = ()
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Data sets and attributes of the root group.

    Args:
        wanted: names to read; others are passed over, whatever they hold.
        mapped: of them those that stay on the disk where their numbers lie there in one piece.

    Returns:
        {name: array} of the data sets, text as bytes, and {name: value} of the attributes.

    Raises:
        SbirctlError: the file is locked, or declares more than the memory holds.
        CorruptError: it is damaged, or a wanted name leads out of it or holds what no array can.
        MismatchError: a wanted data set has a type that is not read, or a name other capitals.
    """
    import h5py

    announce_reading(path)
    try:
        with h5py.File(path, "r") as file:
            found = {name: _data_set(file, name) for name in file if name in wanted}
            data = {name: one for name, one in found.items() if one is not None}
            places = {name: _raw_offset(one) for name, one in data.items() if name in mapped}
            whole = [one for name, one in data.items() if places.get(name) is None]
            names = {*file, *file.attrs}
            check_fits(path, sum(one.size * one.dtype.itemsize for one in whole))
            arrays = {name: _values(one, path, places.get(name)) for name, one in data.items()}
            attributes = {n: _attribute(n, file.attrs[n]) for n in wanted if n in file.attrs}
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, MemoryError) as error:
        refuse_shortage(error)
        raise _failure(path, error) from error
    except (CorruptError, MismatchError) as error:
        raise type(error)(f"{display_path(path)}: {error.message}", error.hint) from error
    refuse_other_case(names, wanted, path)
    return arrays, attributes


def _data_set(file: h5py.File, name: str) -> h5py.Dataset | None:
    """A data set of this file whose type is read; None for a group or an empty one."""
    import h5py

    link = file.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        kind = "another file" if isinstance(link, h5py.ExternalLink) else "another name"
        raise CorruptError(
            f"{name} is a link to {kind}, and links are not followed.",
            "Write the array itself into the file.",
        )
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        return None
    if found.is_virtual or found.external:
        raise CorruptError(
            f"{name} keeps its values in other files "
            f"({'virtual data set' if found.is_virtual else 'external storage'}), "
            "which are not read.",
            "Write the array itself into the file.",
        )
    _check_type(name, found.dtype)
    creation = found.id.get_create_plist()
    for number in range(creation.get_nfilters()):
        code, _, _, label = creation.get_filter(number)
        if code >= _BUILT_IN and not h5py.h5z.filter_avail(code):
            raise MismatchError(
                f"{name} is packed by the filter {code} ({label.decode('ascii', 'replace')}), "
                "which this HDF5 has not.",
                "Write it again with gzip or without compression.",
            )
    return found


def _check_type(name: str, dtype: np.dtype) -> None:
    import h5py

    if dtype.kind in "biufS" or h5py.check_string_dtype(dtype) is not None:
        return
    if h5py.check_ref_dtype(dtype) is not None:
        what = "references to other objects (a MATLAB cell array?)"
    elif dtype.names is not None:
        what = f"records of {', '.join(dtype.names)}"
    elif h5py.check_vlen_dtype(dtype) is not None:
        what = "lists of different lengths"
    else:
        what = str(dtype)
    raise MismatchError(
        f"{name} holds {what}, not numbers or text.", "Save it as an array of numbers or text."
    )


def _raw_offset(data: h5py.Dataset) -> int | None:
    """Where the bytes of a contiguous array of native numbers lie in the file."""
    if data.dtype.kind not in "iuf" or not data.dtype.isnative or not data.size:
        return None
    offset: int | None = data.id.get_offset()
    return offset


def _values(data: h5py.Dataset, path: Path, place: int | None) -> np.ndarray:
    if place is not None:
        return np.memmap(path, data.dtype, "r", place, data.shape)
    values = data[()]
    if data.dtype.kind == "O":  # strings of variable length
        texts = [_bytes(value) for value in np.ravel(np.asarray(values, dtype=object))]
        return np.array(texts, dtype=np.bytes_).reshape(data.shape)
    array = np.asarray(values)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _attribute(name: str, value: object) -> object:
    """A plain value: a number, text, or whatever else it is, which its reader refuses."""
    import h5py

    if isinstance(value, h5py.Empty):
        return ""
    if isinstance(value, h5py.Reference):
        raise MismatchError(f"{name} is a reference to an object.", "Save it as text or a number.")
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(())[()]
    if isinstance(value, np.generic):
        value = value.item()
    return value


def _failure(path: Path, error: Exception) -> SbirctlError:
    """What an error of HDF5 means: a lock is no damage."""
    number, text = getattr(error, "errno", None), str(error)
    locks = "Or type HDF5_USE_FILE_LOCKING=FALSE before the command, which then takes no lock."
    if number in _NO_LOCKS:
        return SbirctlError(
            f"The disk of {display_path(path)} has no file locks, which HDF5 asks for.",
            "Type HDF5_USE_FILE_LOCKING=FALSE before the command, or copy the file elsewhere.",
        )
    if "unable to lock file" in text or isinstance(error, BlockingIOError):
        return SbirctlError(
            f"{display_path(path)} is locked: another program has it open for writing.",
            f"Close it there. {locks}",
        )
    if "already open for write" in text or "h5clear" in text:
        return SbirctlError(
            f"{display_path(path)} is marked as open for writing, by a program that runs or died.",
            f"Close it there, or clear the mark: h5clear -s {display_path(path)}",
        )
    if isinstance(error, PermissionError) or number == errno.EACCES:
        return SbirctlError(f"{display_path(path)} may not be read.", "Check its permissions.")
    return CorruptError(
        f"{display_path(path)} is damaged: {text.splitlines()[0] if text else error!r}.",
        "Make it again with `sbirctl embed`, or copy it again.",
    )
