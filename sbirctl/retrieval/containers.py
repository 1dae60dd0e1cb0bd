"""Named arrays in HDF5 or NPZ files, told apart by content; nothing in a file is executed."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.files import atomic_path, display_path

_HDF5 = b"\x89HDF\r\n\x1a\n"
_NPZ = b"PK\x03\x04"
_NAMES = ("classes", "train_classes", "groups")


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


def read(path: Path) -> Raw:
    """Read a file whole.

    Raises:
        MissingError: there is no such file.
        CorruptError: it is damaged, neither HDF5 nor NPZ, or would need a pickle.
    """
    try:
        with open(path, "rb") as stream:
            head = stream.read(8)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise MissingError(
            f"There is no file {display_path(path)}.",
            "Name embeddings (HDF5 or NPZ): `sbirctl embed` prints its path.",
        ) from error
    if head.startswith(_HDF5):
        return _read_hdf5(path)
    if head.startswith(_NPZ):
        return _read_npz(path)
    raise CorruptError(
        f"{display_path(path)} is neither HDF5 nor NPZ.",
        "Give the file that `sbirctl embed` printed, or one written by numpy.savez.",
    )


def write(path: Path, raw: Raw) -> None:
    """Write HDF5, atomically; equal content gives equal bytes."""
    import h5py

    with atomic_path(path) as temporary, h5py.File(temporary, "w", track_order=True) as file:
        for key, value in raw.arrays.items():
            file.create_dataset(key, data=value, track_times=False)
        for key, names in raw.names.items():
            text = np.array([name.encode() for name in names], dtype=np.bytes_)
            file.create_dataset(key, data=text if len(text) else np.zeros(0, "S1"))
        for key, plain in raw.attributes.items():
            file.attrs[key] = plain if isinstance(plain, int | str) else json.dumps(plain)


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


def _read_hdf5(path: Path) -> Raw:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            arrays = {k: _array(v) for k, v in file.items() if isinstance(v, h5py.Dataset)}
            attributes = {k: _attribute(v) for k, v in file.attrs.items()}
    except (OSError, RuntimeError, KeyError) as error:
        raise CorruptError(
            f"{display_path(path)} is damaged: {error}.", "Make it again with `sbirctl embed`."
        ) from error
    return _sort(arrays, attributes)


def _array(dataset: Any) -> np.ndarray:
    values = dataset[()]
    if dataset.dtype.kind == "O":  # strings of variable length
        return np.array([v if isinstance(v, bytes) else str(v).encode() for v in values], "S")
    return np.asarray(values)


def _attribute(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _damaged(path: Path, error: Exception) -> CorruptError:
    return CorruptError(
        f"{display_path(path)} is damaged: {error}.",
        "Copy it again, or write it again with numpy.savez.",
    )


def _read_npz(path: Path) -> Raw:
    try:
        with np.load(path, allow_pickle=False) as file:
            return _sort({key: file[key] for key in file.files}, {})
    except ValueError as error:
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            raise CorruptError(
                f"{display_path(path)} holds Python objects, which are not loaded.",
                "Save labels and paths as arrays of numbers or text, not of dtype object.",
            ) from error
        raise _damaged(path, error) from error
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error


def _sort(arrays: dict[str, np.ndarray], attributes: dict[str, Any]) -> Raw:
    """Scalars are attributes, lists of class names are names, the rest stays an array."""
    raw = Raw({}, attributes)
    for key, value in arrays.items():
        if key in _NAMES and value.ndim == 1:
            raw.names[key] = tuple(str(name) for name in to_text(value))
        elif value.ndim == 0:
            plain = value.item()
            raw.attributes[key] = plain.decode() if isinstance(plain, bytes) else plain
        else:
            raw.arrays[key] = value
    facts = raw.attributes.get("facts")
    if isinstance(facts, str):
        try:
            raw.attributes["facts"] = json.loads(facts)
        except ValueError as error:
            raise CorruptError(f"the attribute facts is not JSON: {error}.") from error
    return raw
