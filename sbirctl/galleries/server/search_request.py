"""A search request: a drawing or a photo, words, or both, and how many photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sbirctl.galleries.combining import combine
from sbirctl.galleries.searcher import Searcher
from sbirctl.galleries.server.http_errors import HttpError
from sbirctl.galleries.server.limits import Limits
from sbirctl.store.manifest import MODALITIES, Modality

PHOTOS = 24  # answers where nothing else is asked for


@dataclass(frozen=True)
class SearchRequest:
    """What the address of a search says.

    Attributes:
        modality: of the picture that is sent, sketch or photo.
        words: a description; "" for none.
        k: how many photos to find.
    """

    modality: Modality
    words: str
    k: int

    @classmethod
    def of(cls, given: Mapping[str, str], limits: Limits) -> SearchRequest:
        """Read and check the parameters.

        Raises:
            HttpError: one is out of bounds.
        """
        kind = given.get("as", "sketch")
        modality = next((one for one in MODALITIES if one == kind), None)
        if modality is None:
            raise HttpError(400, f"A picture is a sketch or a photo, not {kind[:40]!r}.")
        words = given.get("words", "").strip()
        if len(words) > limits.words:
            raise HttpError(400, f"More than {limits.words} letters.", "Say it shorter.")
        return cls(modality, words, number_of(given, limits))

    def vector(self, searcher: Searcher, picture: Image.Image | None) -> np.ndarray:
        """What to look for: (dim,) float32, L2-normalised.

        Args:
            searcher: the gallery and its model.
            picture: what was sent; None where only words are asked for.

        Raises:
            HttpError: nothing is asked for, or words of a model that knows none.
        """
        parts: list[tuple[str, np.ndarray]] = []
        if picture is not None:
            parts.append((self.modality, searcher.embed(picture, self.modality)))
        if self.words:
            if not searcher.has_text:
                raise HttpError(400, "The model of this gallery knows no words.", "Draw it.")
            parts.append(("text", searcher.embed_text(self.words)))
        if not parts:
            raise HttpError(400, "There is nothing to search with.", "Send a drawing.")
        return combine(parts)


def number_of(given: Mapping[str, str], limits: Limits) -> int:
    """How many photos are asked for.

    Raises:
        HttpError: it is no number, or too many.
    """
    text = given.get("k", str(PHOTOS))
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 0 < int(text) <= limits.photos):
        raise HttpError(400, f"k={text[:20]!r} is not 1 to {limits.photos}.")
    return int(text)
