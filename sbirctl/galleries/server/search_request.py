"""A search request: a drawing or a photo, words, or both; how many photos, and which."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sbirctl.core.files import display_path
from sbirctl.galleries.combining import combine
from sbirctl.galleries.filters import Filter, make_filter
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

    @property
    def is_drawing(self) -> bool:
        """Whether a drawing alone is asked for, where something is sent."""
        return self.modality == "sketch" and not self.words

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
            raise HttpError(400, f"More than {limits.words} characters.", "Say it shorter.")
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


def filter_of(given: Mapping[str, str], searcher: Searcher, limits: Limits) -> Filter:
    """Which photos are wanted: `in`, `since`, `until`, `min`.

    Raises:
        HttpError: a folder that is none of the gallery's, or no score.
        UsageError: a day that is none.
    """
    folder, least = given.get("in", ""), given.get("min", "")
    known = {display_path(one): one for one in searcher.sub_folders()} if folder else {}
    if folder and folder not in known:
        raise HttpError(400, f"The gallery has no folder {folder[:100]!r}.", "Choose another.")
    return make_filter(
        [known[folder]] if folder else [],
        given.get("since", "")[:20],
        given.get("until", "")[:20],
        _score(least) if least else None,
        limits.filter_seconds,
    )


def _score(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if len(text) > 20 or not -1 <= value <= 1:
        raise HttpError(400, f"min={text[:20]!r} is no score.", "A score is -1 to 1.")
    return value


def folders_of(searcher: Searcher, limits: Limits) -> list[str]:
    """The folders that can be chosen, as shown; of too many those nearest the top."""
    found = sorted(searcher.sub_folders(), key=lambda path: path.count(b"/"))
    return sorted(display_path(path) for path in found[: limits.folders])
