"""A search request: a drawing or a photo, words, or both, and how many photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import human_bytes
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.drawings.placement import Placement
from sbirctl.drawings.reading import read_drawing
from sbirctl.galleries.combining import combine
from sbirctl.galleries.searcher import Searcher
from sbirctl.galleries.server.http_errors import HttpError
from sbirctl.galleries.server.limits import Limits
from sbirctl.store.images import ImageError, decode_photo

_BLANK = b"\xef\xbb\xbf \t\r\n"
PHOTOS = 24  # answers where nothing else is asked for


class Warnings(Reporter):
    """Keeps what is warned of for the answer.

    Attributes:
        messages: in the order they came.
    """

    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        """See `Reporter.warn`."""
        self.messages.append(message)


@dataclass(frozen=True)
class SearchRequest:
    """What the address of a search says.

    Attributes:
        modality: of the picture that is sent, sketch or photo.
        words: a description; "" for none.
        k: how many photos to find.
        limits: what the picture may be.
    """

    modality: str
    words: str
    k: int
    limits: Limits

    @classmethod
    def of(cls, given: Mapping[str, str], limits: Limits) -> SearchRequest:
        """Read and check the parameters.

        Raises:
            HttpError: one is out of bounds.
        """
        modality = given.get("as", "sketch")
        if modality not in ("sketch", "photo"):
            raise HttpError(400, f"A picture is a sketch or a photo, not {modality[:40]!r}.")
        words = given.get("words", "").strip()
        if len(words) > limits.words:
            raise HttpError(400, f"More than {limits.words} letters.", "Say it shorter.")
        return cls(modality, words, number_of(given, limits), limits)

    def vector(self, searcher: Searcher, data: bytes, report: Reporter = SILENT) -> np.ndarray:
        """What to look for: (dim,) float32, L2-normalised.

        Args:
            searcher: the gallery and its model.
            data: the bytes of the picture; empty where only words are asked for.
            report: warned of what of a drawing is left out.

        Raises:
            HttpError: nothing is asked for, or words of a model that knows none.
            SbirctlError: the bytes are no picture.
        """
        parts: list[tuple[str, np.ndarray]] = []
        if data:
            image = self._image(searcher, data, report)
            parts.append((self.modality, searcher.embed(image, self.modality)))
        if self.words:
            if not searcher.has_text:
                raise HttpError(400, "The model of this gallery knows no words.", "Draw it.")
            parts.append(("text", searcher.embed_text(self.words)))
        if not parts:
            raise HttpError(400, "There is nothing to search with.", "Send a drawing.")
        return combine(parts)

    def _image(self, searcher: Searcher, data: bytes, report: Reporter) -> Image.Image:
        if self.modality == "sketch":
            return drawing_of(data, self.limits, searcher.placement, report)
        try:
            return decode_photo(data, max_pixels=self.limits.pixels)
        except ImageError as error:
            raise HttpError(400, f"The photo cannot be read: {error.message}.") from error


def drawing_of(
    data: bytes, limits: Limits, placement: Placement | None = None, report: Reporter = SILENT
) -> Image.Image:
    """The drawing in some bytes, dark on white; moved where `placement` is given.

    Raises:
        HttpError: there is none, or it is too large.
    """
    if data.lstrip(_BLANK)[:1] in (b"<", b"{", b"[") and len(data) > limits.strokes:
        raise HttpError(
            413, f"A drawing of lines may have {human_bytes(limits.strokes)}.", "Send a picture."
        )
    try:
        return read_drawing(
            data,
            centre=placement is not None,
            placement=placement,
            max_pixels=limits.pixels,
            report=report,
        )
    except CorruptError as error:
        raise HttpError(400, error.message, "Take a PNG, JPEG, SVG or .ndjson.") from error


def number_of(given: Mapping[str, str], limits: Limits) -> int:
    """How many photos are asked for.

    Raises:
        HttpError: it is no number, or too many.
    """
    text = given.get("k", str(PHOTOS))
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 0 < int(text) <= limits.photos):
        raise HttpError(400, f"k={text[:20]!r} is not 1 to {limits.photos}.")
    return int(text)
