"""Sketches as coordinates in a pickle, read without executing any of it.

The coordinate files of ShoeV2 and ChairV2 (Bhunia et al., on-the-fly FG-SBIR) are pickles of a
dictionary from `/<train or test>/<photo stem>_<k>` to an (n, 3) array: x and y in 0 to 255 and
whether the pen is lifted after the point. A pickle may name any function to be called while it is
read. This reader knows a few names, none of which is what it claims to be: arrays are taken apart
into their bytes and put together again here.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.drawings.strokes import Strokes

FRAME = (0.0, 0.0, 256.0, 256.0)  # the sheet the coordinates lie on
_KINDS = "fiub"
_MAX_ENTRIES = 1_000_000


class _DType:
    """Stands in for `numpy.dtype`: only its code and byte order are kept."""

    def __init__(self, code: object = "", *_: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = str(state[1])

    def make(self) -> np.dtype:
        """The real type, of plain numbers only."""
        if not isinstance(self.code, str) or len(self.code) > 4 or self.code[:1] not in _KINDS:
            raise CorruptError(f"its coordinates are of the type {self.code!r}")
        return np.dtype(self.code).newbyteorder(self.order)  # type: ignore[arg-type]


class _Array:
    """Stands in for an array that is being read."""

    def __init__(self, *_: object) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise CorruptError("an array in it has another form than numpy's")
        _, shape, kind, fortran, data = state
        self.fill(data, kind, shape, "F" if fortran else "C")

    def fill(self, data: object, kind: object, shape: object, order: object) -> None:
        """Make the real array.

        Raises:
            CorruptError: these are not an array's bytes, type and shape.
        """
        if isinstance(data, str):  # written by Python 2
            data = data.encode("latin1")
        if (
            not isinstance(data, bytes | bytearray)
            or not isinstance(kind, _DType)
            or not isinstance(shape, tuple)
            or not all(type(n) is int and n >= 0 for n in shape)
            or order not in ("C", "F")
        ):
            raise CorruptError("an array in it has another form than numpy's")
        dtype = kind.make()
        if math.prod(shape) * dtype.itemsize != len(data):
            raise CorruptError("an array in it has not the bytes its shape needs")
        layout: Any = order
        self.value = np.frombuffer(bytes(data), dtype).reshape(shape, order=layout)


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """Stands in for `_codecs.encode`, which protocol 2 uses for bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise CorruptError("it holds text in an unknown encoding")
    return text.encode("latin1")


def _reconstruct(*_: object) -> _Array:
    """Stands in for numpy's function of that name; the array comes with its state."""
    return _Array()


def _frombuffer(data: object, kind: object, shape: object, order: object) -> _Array:
    """Stands in for the function protocol 5 makes arrays with."""
    made = _Array()
    made.fill(data, kind, shape, order)
    return made


_NAMES = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise CorruptError(
                f"it asks for {module}.{name}, which no coordinates need",
                "Do not use this file unless you made it yourself.",
            ) from None


def read_coordinates(data: bytes) -> dict[str, np.ndarray]:
    """{key: (n, 3) float64 array} of a coordinate pickle; nothing in it is executed.

    Raises:
        CorruptError: it is no such pickle, or asks for anything but arrays.
    """
    try:
        loaded = _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except CorruptError:
        raise
    except Exception as error:  # damaged pickles raise anything
        raise CorruptError(f"it is no pickle of coordinates: {error}") from error
    if not isinstance(loaded, dict) or not 0 < len(loaded) <= _MAX_ENTRIES:
        raise CorruptError("it is a pickle, but not of a dictionary of coordinates")
    result = {}
    for key, value in loaded.items():
        points = value.value if isinstance(value, _Array) else None
        if not isinstance(key, str) or points is None or points.ndim != 2 or points.shape[1] != 3:
            raise CorruptError("its entries are not arrays of (x, y, pen)")
        result[key] = points.astype(np.float64)
    return result


def strokes_of(points: np.ndarray) -> Strokes:
    """An (n, 3) array cut after every point where the pen is lifted (third column not 0)."""
    cuts = np.flatnonzero(points[:, 2] != 0) + 1
    return [stroke[:, :2] for stroke in np.split(points, cuts) if len(stroke)]
