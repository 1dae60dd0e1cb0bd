"""Retrieval figures of a part while training: the held-out part chooses, the test part never."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sbirctl.datasets.parts import Part
from sbirctl.models.base import Model
from sbirctl.training.assemble import to_embeddings
from sbirctl.training.embedding import embed_side

# The figure that chooses the epoch, on the validation part.
CHOOSES = "map@all"


def validate(
    model: Model, part: Part, facts: Mapping[str, Any], *, workers: int | None = None
) -> dict[str, float]:
    """The figures of a part's sketches against its photos, by name."""
    query = embed_side(model, part.sketch, workers=workers)
    gallery = embed_side(model, part.photo, workers=workers)
    embeddings = to_embeddings(part, query, gallery, facts)
    scores = []
    for vector, label in zip(embeddings.query, embeddings.query_label, strict=True):
        order = np.argsort(-(embeddings.gallery @ vector), kind="stable")
        hits = embeddings.gallery_label[order] == label
        if hits.any():
            scores.append(float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()))
    return {CHOOSES: float(np.mean(scores))}
