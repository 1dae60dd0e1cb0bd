"""Photos that stand in the gallery more than once."""

from __future__ import annotations

import hashlib

import numpy as np

from sbirctl.retrieval.embeddings import Embeddings


def count_duplicates(e: Embeddings) -> int | None:
    """Gallery photos that repeat an earlier one: by digest of the file, else by equal vectors.

    None where there is neither.
    """
    if e.gallery_digest is not None:
        known = e.gallery_digest[e.gallery_digest != b""]
        return len(known) - len(np.unique(known))
    if not e.gallery.shape[1]:
        return None
    seen = {hashlib.blake2b(v.tobytes(), digest_size=16).digest() for v in e.gallery}
    return len(e.gallery) - len(seen)
