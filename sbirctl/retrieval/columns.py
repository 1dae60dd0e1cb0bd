"""Columns of embeddings as people have them: labels and instances as numbers or names, to codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sbirctl.core.errors import MismatchError
from sbirctl.core.text import composed
from sbirctl.retrieval import containers


def as_array(value: ArrayLike) -> np.ndarray:
    """Arrays, tensors on any device, columns of a table, lists; text as text, not as objects."""
    tensor: Any = value
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = tensor.float() if "bfloat16" in str(tensor.dtype) else tensor
    array = np.asarray(tensor)
    return array.astype(np.str_) if array.dtype.kind == "O" else array


def shared_names(train_label: np.ndarray, names: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Training labels that are numbers count in the test classes' numbering, if that is named."""
    classes = names.get("classes", ())
    fits = train_label.dtype.kind in "iu" and train_label.size
    return classes if fits and int(train_label.max()) < len(classes) else ()


def code_labels(
    columns: list[np.ndarray], names: tuple[str, ...]
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Labels (numbers or names) as int64 codes into names."""
    for column in columns:
        if column.ndim != 1 or column.dtype.kind not in "iuSU":
            raise MismatchError(
                f"labels are {column.dtype} of shape {column.shape}, not one number or name a row.",
                "Save them as whole numbers or as text, one axis long.",
            )
    if all(column.dtype.kind in "iu" for column in columns):
        columns = _alike(columns)
        if names and all(column.dtype == np.int64 for column in columns):
            return columns, names
        if names:
            raise MismatchError(
                f"labels are larger than 2^63; there are {len(names)} names.",
                "Numbers count in the list of names, from 0.",
            )
    else:
        columns = [containers.to_text(column) for column in columns]
    every, inverse = _told_apart(columns)
    cuts = np.cumsum([len(column) for column in columns])[:-1]
    codes = np.split(inverse.astype(np.int64), cuts)
    return codes, tuple(str(value) for value in every)


def _told_apart(columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The different values of columns, and each entry's place in them; one name in two Unicode
    forms is one value."""
    every, inverse = np.unique(np.concatenate(columns), return_inverse=True)
    if every.dtype.kind != "U":
        return every, inverse
    names = np.array([composed(str(name)) for name in every], dtype=every.dtype)
    known, place = np.unique(names, return_inverse=True)
    return known, place[inverse]


def _alike(columns: list[np.ndarray]) -> list[np.ndarray]:
    """Whole numbers of any types as int64, or all as text where that cannot hold them.

    NumPy compares int64 and uint64 as floats, which are not exact from 2⁵³ on.
    """
    largest = np.iinfo(np.int64).max
    if any(column.size and int(column.max()) > largest for column in columns):
        return [column.astype(np.str_) for column in columns]
    return [column.astype(np.int64) for column in columns]


def code_instances(columns: list[np.ndarray]) -> list[np.ndarray]:
    """Instances (numbers, -1 for none; or names, "" for none) as int64."""
    if all(column.dtype.kind in "iu" for column in columns):
        columns = _alike(columns)
        if all(column.dtype == np.int64 for column in columns):
            return columns
        columns = [np.where(np.char.startswith(text, "-"), "", text) for text in columns]
    texts = [containers.to_text(column) for column in columns]
    every, inverse = _told_apart(texts)
    codes = np.where(every[inverse] == "", -1, inverse).astype(np.int64)
    return np.split(codes, np.cumsum([len(text) for text in texts])[:-1])
