"""Named arrays of an NPZ file, checked before they are read; nothing in it is executed."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np

from sbirctl.core.device import check_fits
from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.core.files import display_path, refuse_shortage
from sbirctl.core.forms import refuse_other_case


def read_npz(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Arrays by name.

    Args:
        wanted: names to read; others are passed over, whatever they hold.

    Raises:
        MismatchError: a name is a wanted one but for its capitals.
        CorruptError: it is damaged, a zip of something else, or a wanted array needs a pickle.
        SbirctlError: the arrays are larger than the memory.
    """
    try:
        with zipfile.ZipFile(path) as file:
            members = {n.removesuffix(".npy"): n for n in file.namelist() if n.endswith(".npy")}
            if not members:
                raise _not_npz(path, file)
            refuse_other_case(members.keys(), wanted, path)
            chosen = {key: name for key, name in members.items() if key in wanted}
            sizes = [_declared(path, file, name) for name in chosen.values()]
            check_fits(path, sum(sizes))
            return {key: _array(file, name) for key, name in chosen.items()}
    except SbirctlError:
        raise
    except Exception as error:  # NumPy's reader of headers raises anything
        refuse_shortage(error)
        raise CorruptError(
            f"{display_path(path)} is damaged: {str(error) or type(error).__name__}.",
            "Copy it again, or write it again with numpy.savez.",
        ) from error


def _array(file: zipfile.ZipFile, name: str) -> np.ndarray:
    with file.open(name) as stream:
        array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _declared(path: Path, file: zipfile.ZipFile, name: str) -> int:
    """Bytes that an array says it has, which must be what lies in the archive."""
    with file.open(name) as stream:
        shape, dtype = _header(stream)
        start = stream.tell()
    if dtype.hasobject:
        raise CorruptError(
            f"{display_path(path)}: {name.removesuffix('.npy')} holds Python objects, "
            "which are not loaded.",
            "Save labels and paths as arrays of numbers or text, not of dtype object.",
        )
    size = math.prod(shape) * dtype.itemsize
    if start + size != file.getinfo(name).file_size:
        raise ValueError(f"{name} declares {size} bytes and has other ones")
    return size


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"an array has the version {version[0]}.{version[1]}")
    shape, _, dtype = read(stream)
    return shape, dtype


def _not_npz(path: Path, file: zipfile.ZipFile) -> CorruptError:
    names = file.namelist()
    torch = any(name.endswith("data.pkl") for name in names)
    what = "was written by torch.save" if torch else "is a zip archive without arrays"
    return CorruptError(
        f"{display_path(path)} {what}: it is neither HDF5 nor NPZ.",
        "Write embeddings with numpy.savez; docs/formats.md names the arrays.",
    )
