"""Named arrays in HDF5 or NPZ files, told apart by content; nothing in a file is executed."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import CorruptError, MismatchError, MissingError, SbirctlError
from sbirctl.core.files import atomic_path, display_path
from sbirctl.retrieval.hdf5 import is_hdf5, read_hdf5
from sbirctl.retrieval.npz import read_npz

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OTHERS = {
    b"\x93NUMPY": "one NumPy array (.npy)",
    b"MATLAB 5": "a MATLAB file older than 7.3",
    b"PAR1": "a Parquet table",
    b"\x80": "a Python pickle",
    b"\x1f\x8b": "packed by gzip",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
NAMES = ("classes", "train_classes", "groups")
_SINGLE = ("schema", "scope", "model", "checkpoint", "store", "task", "split", "provenance")
"""Keys that are lists of names, not columns."""
MATRICES = ("scores", "distances")
"""Keys that may be larger than memory."""


@dataclass
class Raw:
    """What a file holds, not yet checked.

    Attributes:
        arrays: arrays with at least one axis.
        attributes: plain values (JSON).
        names: lists of names.
    """

    arrays: dict[str, np.ndarray]
    attributes: dict[str, Any] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read(path: Path, wanted: Collection[str]) -> Raw:
    """Read what is asked for.

    Args:
        wanted: names of arrays and values; others are passed over, whatever they hold.

    Raises:
        MissingError: there is no such file.
        CorruptError: it is damaged, neither HDF5 nor NPZ, would need a pickle, or keeps values in
            other files.
        MismatchError: something asked for has a type that is not read.
        SbirctlError: it is locked, may not be read, or is larger than the memory.
    """
    try:
        with open(path, "rb") as stream:
            head = stream.read(8)
        is_one = is_hdf5(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise MissingError(
            f"There is no file {display_path(path)}.",
            "Name embeddings (HDF5 or NPZ): `sbirctl embed` prints its path.",
        ) from error
    except OSError as error:
        raise SbirctlError(
            f"{display_path(path)} cannot be read: {error.strerror}.", "Check it and its disk."
        ) from error
    if is_one:
        return _sort(*read_hdf5(path, wanted, MATRICES))
    if head.startswith(_ZIP):
        return _sort(read_npz(path, wanted), {})
    what = next((f", but {name}" for start, name in _OTHERS.items() if head.startswith(start)), "")
    raise CorruptError(
        f"{display_path(path)} is neither HDF5 nor NPZ{what}.",
        "Give the file that `sbirctl embed` printed, or one written by numpy.savez.",
    )


def names(path: Path) -> tuple[set[str], set[str]]:
    """Names of the arrays of a file that `read` has read, and of its plain values."""
    if is_hdf5(path):
        import h5py

        with h5py.File(path, "r") as file:
            groups = {name for name in file if isinstance(file.get(name), h5py.Group)}
            return set(file) - groups, set(file.attrs)
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy") for name in archive.namelist()}, set()


@dataclass(frozen=True)
class Rows:
    """A matrix that is made while it is written.

    Attributes:
        shape: (rows, columns). dtype: as written.
        blocks: of some rows each, in their order; as many in all as `shape` says.
    """

    shape: tuple[int, int]
    dtype: np.dtype
    blocks: Iterable[np.ndarray]


def write(path: Path, raw: Raw, matrices: Mapping[str, Rows] | None = None) -> None:
    """Write HDF5, atomically; equal content gives equal bytes.

    Args:
        matrices: written block by block, each in one piece, so that it can be mapped.
    """
    import h5py

    with atomic_path(path) as temporary, h5py.File(temporary, "w", track_order=True) as file:
        for key, rows in (matrices or {}).items():
            data = file.create_dataset(key, rows.shape, rows.dtype, track_times=False)
            start = 0
            for block in rows.blocks:
                data[start : start + len(block)] = block
                start += len(block)
            assert start == rows.shape[0]
        for key, value in raw.arrays.items():
            file.create_dataset(key, data=value, track_times=False).flush()
        for key, names in raw.names.items():
            encoded = [name.encode("utf-8", "surrogateescape") for name in names]
            text = np.array(encoded, dtype=np.bytes_)
            file.create_dataset(key, data=text if len(text) else np.zeros(0, "S1")).flush()
        for key, plain in raw.attributes.items():
            file.attrs[key] = plain if isinstance(plain, int | str) else json.dumps(plain)
        file.flush()  # errors of the system that HDF5 meets while it closes are lost


def to_text(column: np.ndarray) -> np.ndarray:
    """Numbers, bytes (UTF-8) or text as text."""
    if column.dtype.kind == "S":
        return np.char.decode(column, "utf-8", "surrogateescape")
    return column.astype(np.str_)


def to_bytes(key: str, column: np.ndarray) -> np.ndarray:
    """Text or bytes as fixed-length bytes.

    Raises:
        CorruptError: it is neither.
    """
    if column.dtype.kind == "U":
        return np.array([os.fsencode(str(value)) for value in column.ravel()], dtype=np.bytes_)
    if column.dtype.kind != "S":
        raise CorruptError(f"{key} is {column.dtype}, not text.", "Save it as an array of text.")
    return column


def _sort(arrays: dict[str, np.ndarray], attributes: dict[str, Any]) -> Raw:
    """Scalars are attributes, lists of class names are names, the rest stays an array."""
    raw = Raw({}, {key: _plain(value) for key, value in attributes.items()})
    for key, value in arrays.items():
        if key in NAMES and value.ndim == 1:
            raw.names[key] = tuple(str(name) for name in to_text(value))
        elif value.ndim == 0 or key in _SINGLE:
            _keep_single(raw.attributes, key, value)
        else:
            raw.arrays[key] = value
    provenance = raw.attributes.get("provenance")
    if isinstance(provenance, str):
        try:
            raw.attributes["provenance"] = json.loads(provenance)
        except ValueError as error:
            raise CorruptError(f"the attribute provenance is not JSON: {error}.") from error
    return raw


def _keep_single(attributes: dict[str, Any], key: str, value: np.ndarray) -> None:
    """Keep the one value of an array.

    Raises:
        MismatchError: it has several, or an attribute says otherwise.
    """
    if value.size != 1:
        raise MismatchError(f"{key} has {value.size} values, not one.", "Save it as one text.")
    single = _plain(value.reshape(()).item())
    if key in attributes and attributes[key] != single:
        raise MismatchError(
            f"{key} is {attributes[key]!r} as an attribute and {single!r} as an array.",
            "Leave one of them out.",
        )
    attributes[key] = single


def _plain(value: object) -> object:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
