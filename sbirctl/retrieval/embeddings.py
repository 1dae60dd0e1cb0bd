"""The embeddings of a test side: what a model made of the sketches and photos to be ranked.

Kept in HDF5, or NPZ made by any program; docs/formats.md lists the keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike

from sbirctl.core.errors import CorruptError, MismatchError, MissingError, UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.retrieval import containers
from sbirctl.retrieval.columns import as_array, code_instances, code_labels, shared_names
from sbirctl.retrieval.provenance import Provenance

SCHEMA = 2
Scope = Literal["all", "class"]
_CHECK_ROWS = 8192
_CHECK_NUMBERS = 1 << 22
_PER_ROW = ("label", "instance", "path", "digest")


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Sketch queries and the photo gallery they are ranked against.

    Attributes:
        query: (Q, D) float16, float32 or float64, normalised or not.
        gallery: (N, D) of the same kinds.
        query_label, gallery_label: (Q,), (N,) int64, index into `classes`.
        classes: names of the classes (for the fine-grained task a class is an instance).
        query_instance, gallery_instance: (Q,), (N,) int64, equal where the sketch was drawn from
            the photo, -1 for none; None where the data set has no pairs.
        query_path, gallery_path: (Q,), (N,) fixed-length bytes, or None.
        query_digest, gallery_digest: (Q,), (N,) bytes, SHA-256 of the source files, or None.
        train: (M, D) embeddings of the training side (ITQ is fitted on them), or None.
        train_label: (M,) int64, index into `train_classes`.
        train_digest: (M',) bytes; may be there without `train`.
        train_classes: names of the classes trained on.
        seen: (len(classes),) bool, the test classes that were trained on (generalised protocol).
        scope: "all" ranks a query against the whole gallery, "class" against the photos of its
            `query_group` and averages over groups (Sketchy's fine-grained pairs).
        query_group, gallery_group: (Q,), (N,) int64, index into `groups`: the category that "class"
            ranks within; None means the label.
        groups: names of the categories; may be left out.
        scores, distances: (Q, N) numbers of every pair, where another program compared them; at
            most one of the two. The vectors are then not looked at and may have no dimensions.
        model, checkpoint, store, task, split: name, digests (hexadecimal) and names, "" if unknown.
        provenance: what else a score must carry.
    """

    query: np.ndarray
    gallery: np.ndarray
    query_label: np.ndarray
    gallery_label: np.ndarray
    classes: tuple[str, ...]
    query_instance: np.ndarray | None = None
    gallery_instance: np.ndarray | None = None
    query_path: np.ndarray | None = None
    gallery_path: np.ndarray | None = None
    query_digest: np.ndarray | None = None
    gallery_digest: np.ndarray | None = None
    train: np.ndarray | None = None
    train_label: np.ndarray | None = None
    train_digest: np.ndarray | None = None
    train_classes: tuple[str, ...] = ()
    seen: np.ndarray | None = None
    scope: Scope = "all"
    query_group: np.ndarray | None = None
    gallery_group: np.ndarray | None = None
    groups: tuple[str, ...] = ()
    scores: np.ndarray | None = None
    distances: np.ndarray | None = None
    model: str = ""
    checkpoint: str = ""
    store: str = ""
    task: str = ""
    split: str = ""
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        """Refuse what cannot be ranked.

        Raises:
            MissingError: an empty side.
            MismatchError: shapes, dimensions or labels that do not belong together.
            CorruptError: NaN or infinite values.
        """
        _check_matrix(self)
        _check_vectors(self)
        _check_columns(self)
        _check_labels(self)

    @property
    def matrix(self) -> np.ndarray | None:
        """Scores or distances of all pairs, None where vectors are compared."""
        return self.distances if self.scores is None else self.scores

    def count_duplicates(self) -> int | None:
        """Photos that repeat an earlier one: by digest of the file, else by equal vectors.

        None where there is neither.
        """
        if self.gallery_digest is not None:
            known = self.gallery_digest[self.gallery_digest != b""]
            return len(known) - len(np.unique(known))
        if not self.gallery.shape[1]:
            return None
        seen = {hashlib.blake2b(v.tobytes(), digest_size=16).digest() for v in self.gallery}
        return len(self.gallery) - len(seen)

    @classmethod
    def from_arrays(
        cls,
        query: ArrayLike | None,
        gallery: ArrayLike | None,
        query_label: ArrayLike,
        gallery_label: ArrayLike,
        **more: ArrayLike | Provenance | None,
    ) -> Embeddings:
        """Embeddings of arrays as people have them.

        Args:
            query, gallery: (Q, D), (N, D) NumPy arrays, torch tensors or lists; None beside
                `scores` or `distances`.
            query_label, gallery_label: (Q,), (N,) whole numbers or names; names of both sides are
                compared, and so are numbers where `classes` is not given.
            more: other attributes of `Embeddings`, instances and paths as text too.

        Raises:
            UsageError: there is no such attribute.
            MissingError, MismatchError, CorruptError: as for a file.
        """
        given = {"query": query, "gallery": gallery, **more}
        given |= {"query_label": query_label, "gallery_label": gallery_label}
        known = [f.name for f in fields(cls)]
        if unknown := [name for name in given if name not in known]:
            raise UsageError(
                f"Embeddings have no {unknown[0]!r}.", nearest(unknown[0], sorted(known))
            )
        raw = containers.Raw({})
        for name, value in given.items():
            if name in containers.NAMES:
                raw.names[name] = tuple(str(one) for one in cast(Iterable[object], value))
            elif isinstance(value, str):
                raw.attributes[name] = value
            elif isinstance(value, Provenance):
                raw.attributes[name] = value.to_json()
            elif value is not None:
                raw.arrays[name] = as_array(value)
        return _from_raw(raw)


def read(path: Path, *, vectors: bool = True) -> Embeddings:
    """Read embeddings from HDF5 or NPZ, told apart by content.

    Labels may be numbers or names. Nothing in the file is executed (no pickles).

    Args:
        vectors: a file that holds scores or distances of pairs instead will not do.

    Raises:
        MissingError: there is no such file, or it lacks a key, or a side is empty.
        MismatchError: its parts do not belong together, or a newer version wrote it.
        CorruptError: it is damaged, no embeddings file, or holds NaN.
    """
    raw = containers.read(path, _keys())
    _check_schema(path, raw.attributes.get("schema", SCHEMA))
    matrix = any(key in raw.arrays for key in containers.MATRICES)
    if matrix and vectors and "query" not in raw.arrays:
        raise MissingError(
            f"{display_path(path)} holds scores of pairs, not vectors.",
            "This needs the vectors; `evaluate`, `audit`, `compare`, `report`, `sheet` and "
            "`curves` do not.",
        )
    sides = () if matrix else ("query", "gallery")
    needed = (*sides, "query_label", "gallery_label")
    absent = [key for key in needed if key not in raw.arrays]
    if absent:
        raise MissingError(
            f"{display_path(path)} has no {', '.join(absent)}.",
            f"Embeddings need {', '.join(needed)}; see docs/formats.md.",
        )
    try:
        return _from_raw(raw)
    except (MissingError, MismatchError, CorruptError) as error:
        raise type(error)(f"{display_path(path)}: {error.message}", error.hint) from error


def unread(path: Path) -> list[str]:
    """Names of a file that `read` passes over: its arrays, and values spelled much like a key."""
    arrays, values = containers.names(path)
    known = _keys()
    near = {name for name in values - known if get_close_matches(name, known, cutoff=0.8)}
    return sorted(arrays - known | near)


def _keys() -> set[str]:
    return {field.name for field in fields(Embeddings)} | {"schema"}


def _check_schema(path: Path, given: str | float) -> None:
    """A whole number, which other programs may have written as a float, a list of one, or text."""
    try:
        schema = float(given)
    except (TypeError, ValueError):
        schema = float("nan")
    if schema not in range(1, SCHEMA + 1):
        raise MismatchError(
            f"{display_path(path)} has schema {given}; this version reads up to {SCHEMA}.",
            "Install a newer sbirctl." if schema > SCHEMA else f"Write schema {SCHEMA}, or none.",
        )


def write(
    embeddings: Embeddings, path: Path, scores: tuple[np.dtype, Iterable[np.ndarray]] | None = None
) -> None:
    """Write embeddings as HDF5, atomically; equal embeddings give equal bytes.

    Args:
        scores: in place of all vectors and of any matrix: type and blocks of rows of the scores of
            all pairs, (Q, N) in all, which need not fit in memory.
    """
    arrays = {
        key: value
        for key, value in vars(embeddings).items()
        if isinstance(value, np.ndarray) and value is not None
    }
    attributes: dict[str, Any] = {"schema": SCHEMA, "scope": embeddings.scope}
    for key in ("model", "checkpoint", "store", "task", "split"):
        attributes[key] = getattr(embeddings, key)
    attributes["provenance"] = embeddings.provenance.to_json()
    names = {key: getattr(embeddings, key) for key in ("classes", "train_classes", "groups")}
    matrices = {}
    if scores is not None:
        for key in ("query", "gallery", "train", "train_label", *containers.MATRICES):
            arrays.pop(key, None)
        shape = len(embeddings.query_label), len(embeddings.gallery_label)
        matrices["scores"] = containers.Rows(shape, *scores)
    containers.write(path, containers.Raw(arrays, attributes, names), matrices)


def _from_raw(raw: containers.Raw) -> Embeddings:
    arrays = dict(raw.arrays)
    labels = [np.asarray(arrays.pop(f"{side}_label")) for side in ("query", "gallery")]
    codes, classes = code_labels(labels, raw.names.get("classes", ()))
    if not {"query", "gallery"} & arrays.keys() and (arrays.keys() & set(containers.MATRICES)):
        for side, column in zip(("query", "gallery"), codes, strict=True):
            arrays[side] = np.zeros((len(column), 0), dtype=np.float32)
    more: dict[str, Any] = {key: arrays.get(key) for key in containers.MATRICES}
    sides = [key for key in ("query_instance", "gallery_instance") if key in arrays]
    more |= dict(zip(sides, code_instances([arrays.pop(key) for key in sides]), strict=True))
    grouped = [key for key in ("query_group", "gallery_group") if key in arrays]
    if grouped:
        groups, more["groups"] = code_labels(
            [arrays.pop(key) for key in grouped], raw.names.get("groups", ())
        )
        more |= dict(zip(grouped, groups, strict=True))
    for key in ("query_path", "gallery_path", "query_digest", "gallery_digest", "train_digest"):
        if key in arrays:
            more[key] = containers.to_bytes(key, arrays.pop(key))
    if "train_label" in arrays:
        own = raw.names.get("train_classes", ()) or shared_names(arrays["train_label"], raw.names)
        (more["train_label"],), more["train_classes"] = code_labels(
            [np.asarray(arrays.pop("train_label"))], own
        )
    elif "train_classes" in raw.names:
        more["train_classes"] = raw.names["train_classes"]
    if "seen" in arrays:
        more["seen"] = arrays.pop("seen").astype(bool)
    for key in ("model", "checkpoint", "store", "task", "split", "scope"):
        if key in raw.attributes:
            more[key] = str(raw.attributes[key])
    more["provenance"] = Provenance.from_json(raw.attributes.get("provenance", {}))
    return Embeddings(
        query=arrays["query"],
        gallery=arrays["gallery"],
        query_label=codes[0],
        gallery_label=codes[1],
        classes=classes,
        train=arrays.get("train"),
        **more,
    )


def _check_matrix(e: Embeddings) -> None:
    if e.matrix is None:
        return
    if e.scores is not None and e.distances is not None:
        raise MismatchError("There are both scores and distances.", "Give one of them.")
    name = "distances" if e.scores is None else "scores"
    shape = len(e.query_label), len(e.gallery_label)
    if e.matrix.shape != shape or e.matrix.dtype.kind not in "iuf" or e.matrix.dtype.itemsize > 8:
        raise MismatchError(
            f"{name} is {e.matrix.dtype} of shape {e.matrix.shape}; there are {shape[0]} query "
            f"and {shape[1]} gallery labels.",
            "Give a number for every pair, one row a query.",
        )
    if not e.matrix.size:
        raise MissingError(f"{name} is empty (shape {shape}).", "Give a row a query.")
    rows = max(1, _CHECK_NUMBERS // shape[1])
    for start in range(0, shape[0], rows):
        bad = ~np.isfinite(e.matrix[start : start + rows]).all(axis=1)
        if bad.any():
            raise CorruptError(
                f"{name} row {start + int(bad.argmax())} holds NaN or infinite values.",
                "Compare that query again.",
            )


def _check_vectors(e: Embeddings) -> None:
    for side, matrix in (("query", e.query), ("gallery", e.gallery), ("train", e.train)):
        if matrix is None or (e.matrix is not None and not matrix.shape[1]):
            continue
        if matrix.ndim != 2 or matrix.dtype.kind != "f" or matrix.dtype.itemsize > 8:
            raise MismatchError(
                f"{side} is {matrix.dtype} of shape {matrix.shape}, not a float matrix.",
                "Give one row a picture, as float16, float32 or float64.",
            )
        if not len(matrix) or not matrix.shape[1]:
            raise MissingError(
                f"{side} is empty (shape {matrix.shape}).", "Give one row a picture, at least one."
            )
        if matrix.shape[1] != e.query.shape[1]:
            raise MismatchError(
                f"query vectors have {e.query.shape[1]} dimensions, "
                f"{side} vectors {matrix.shape[1]}.",
                "Embed both sides with the same model.",
            )
        for start in range(0, len(matrix), _CHECK_ROWS):
            bad = ~np.isfinite(matrix[start : start + _CHECK_ROWS]).all(axis=1)
            if bad.any():
                row = start + int(bad.argmax())
                raise CorruptError(
                    f"{side} row {row} holds NaN or infinite values.",
                    "Look at that picture, or embed again in float32.",
                )


def _check_columns(e: Embeddings) -> None:
    for side, length in (("query", len(e.query)), ("gallery", len(e.gallery))):
        for key in (*_PER_ROW, "group"):
            column = getattr(e, f"{side}_{key}")
            if column is not None and column.shape != (length,):
                raise MismatchError(
                    f"{side} has {length} rows but {side}_{key} has shape {column.shape}.",
                    "Write one entry a row, in the same order.",
                )
    if e.train is not None and (e.train_label is None or len(e.train_label) != len(e.train)):
        count = "none" if e.train_label is None else str(len(e.train_label))
        raise MismatchError(
            f"train has {len(e.train)} rows but train_label has {count}.",
            "Write one entry a row, in the same order.",
        )
    if e.seen is not None and e.seen.shape != (len(e.classes),):
        raise MismatchError(
            f"seen has shape {e.seen.shape}; there are {len(e.classes)} classes.",
            "Say True or False for every name in classes.",
        )
    if e.scope not in ("all", "class"):
        raise MismatchError(f"scope is {e.scope!r}.", "It is 'all' or 'class'.")
    for key in ("instance", "group"):
        if (getattr(e, f"query_{key}") is None) != (getattr(e, f"gallery_{key}") is None):
            raise MismatchError(
                f"only one side has {key}s.", f"Add query_{key} and gallery_{key}, or neither."
            )


def _check_labels(e: Embeddings) -> None:
    for name, labels, names in (
        ("query_label", e.query_label, e.classes),
        ("gallery_label", e.gallery_label, e.classes),
        ("train_label", e.train_label, e.train_classes),
        ("query_group", e.query_group, e.groups),
        ("gallery_group", e.gallery_group, e.groups),
    ):
        if labels is None or not labels.size or (name.endswith("group") and not names):
            continue
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= len(names):
            raise MismatchError(
                f"{name} runs from {low} to {high}; there are {len(names)} names.",
                "Numbers count in the list of names, from 0.",
            )
    if not np.isin(e.query_label, e.gallery_label).any():
        examples = [e.classes[i] for i in (int(e.query_label[0]), int(e.gallery_label[0]))]
        raise MismatchError(
            f"no query label occurs in the gallery (for example {examples[0]!r}, {examples[1]!r}).",
            "Spell the labels of both sides alike.",
        )
