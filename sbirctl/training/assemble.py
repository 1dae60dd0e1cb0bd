"""Embeddings of a part with everything a score needs to know about its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sbirctl.datasets.parts import Part, Side
from sbirctl.retrieval.embeddings import Embeddings


def to_embeddings(
    part: Part,
    query: np.ndarray,
    gallery: np.ndarray,
    facts: Mapping[str, Any],
    **more: Any,
) -> Embeddings:
    """A part's sketches as queries and its photos as gallery.

    Args:
        part: whose labels, instances, paths and digests are taken.
        query: (sketches, dim) embeddings. gallery: (photos, dim).
        facts: the task's facts; its `scope` says what a sketch is ranked against.
        more: further fields of `Embeddings` (model, checkpoint, train, …).
    """
    paired = bool((part.sketch.instance >= 0).any() and (part.photo.instance >= 0).any())
    grouped = facts.get("scope") == "class"
    return Embeddings(
        query=query,
        gallery=gallery,
        query_label=part.sketch.label.astype(np.int64),
        gallery_label=part.photo.label.astype(np.int64),
        classes=part.classes,
        query_instance=part.sketch.instance.astype(np.int64) if paired else None,
        gallery_instance=part.photo.instance.astype(np.int64) if paired else None,
        query_path=paths(part.sketch),
        gallery_path=paths(part.photo),
        query_digest=digests(part.sketch),
        gallery_digest=digests(part.photo),
        query_group=_group(part.sketch) if grouped else None,
        gallery_group=_group(part.photo) if grouped else None,
        groups=part.photo.store.items.classes if grouped else (),
        scope="class" if grouped else "all",
        seen=part.seen,
        facts=dict(facts),
        **more,
    )


def paths(side: Side) -> np.ndarray:
    """(n,) fixed-length bytes: the paths below the data set's source."""
    return np.array([side.store.items.path[i] for i in side.item], dtype=np.bytes_)


def digests(side: Side) -> np.ndarray:
    """(n,) S64: SHA-256 of the source files, hexadecimal."""
    return np.array([side.store.items.digest[i] for i in side.item], dtype=np.bytes_)


def _group(side: Side) -> np.ndarray:
    return side.store.items.label[side.item].astype(np.int64)
