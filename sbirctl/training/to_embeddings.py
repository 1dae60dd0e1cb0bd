"""Embeddings of a subset with everything a score needs to know about its images."""

from __future__ import annotations

from typing import Any

import numpy as np

from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.provenance import Provenance
from sbirctl.sampling.subsets import ImageSubset, Subset


def to_embeddings(
    subset: Subset,
    query: np.ndarray,
    gallery: np.ndarray,
    provenance: Provenance,
    **more: Any,
) -> Embeddings:
    """A subset's sketches as queries and its photos as gallery.

    Args:
        subset: whose labels, instances, paths and digests are taken.
        query: (sketches, dim) embeddings. gallery: (photos, dim).
        provenance: its `scope` says what a sketch is ranked against.
        more: further fields of `Embeddings` (model, checkpoint, train, …).
    """
    paired = bool((subset.sketch.instance >= 0).any() and (subset.photo.instance >= 0).any())
    grouped = provenance.scope == "class"
    return Embeddings(
        query=query,
        gallery=gallery,
        query_label=subset.sketch.label.astype(np.int64),
        gallery_label=subset.photo.label.astype(np.int64),
        classes=subset.classes,
        query_instance=subset.sketch.instance.astype(np.int64) if paired else None,
        gallery_instance=subset.photo.instance.astype(np.int64) if paired else None,
        query_path=paths(subset.sketch),
        gallery_path=paths(subset.photo),
        query_digest=digests(subset.sketch),
        gallery_digest=digests(subset.photo),
        query_group=_group(subset.sketch) if grouped else None,
        gallery_group=_group(subset.photo) if grouped else None,
        groups=subset.photo.store.items.classes if grouped else (),
        scope="class" if grouped else "all",
        seen=subset.seen,
        provenance=provenance,
        **more,
    )


def paths(side: ImageSubset) -> np.ndarray:
    """(n,) fixed-length bytes: the paths below the data set's source."""
    return np.array([side.store.items.path[i] for i in side.item], dtype=np.bytes_)


def digests(side: ImageSubset) -> np.ndarray:
    """(n,) S64: SHA-256 of the source files, hexadecimal."""
    return np.array([side.store.items.digest[i] for i in side.item], dtype=np.bytes_)


def _group(side: ImageSubset) -> np.ndarray:
    return side.store.items.label[side.item].astype(np.int64)
