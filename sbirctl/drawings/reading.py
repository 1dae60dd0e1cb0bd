"""Drawings as people have them, to what a model was trained on: dark on white, square, in place."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sbirctl.core.errors import CorruptError, UsageError
from sbirctl.core.files import human_bytes
from sbirctl.drawings.paper import CLEAN, clean_paper, is_clean
from sbirctl.drawings.placement import PAPER, Placement, normalize_placement, pad_to_square
from sbirctl.drawings.strokes import Pen, Strokes, parse_drawing, render
from sbirctl.drawings.svg import parse_svg
from sbirctl.store.images import decode_photo

MAX_BYTES = 32 * 1024**2
MAX_PIXELS = 50_000_000
_LARGEST = 1024  # pixels of a side beyond which a drawing is reduced first
_CANVAS = 256


def read_drawing(
    data: bytes,
    *,
    name: str = "",
    clean: str = "auto",
    centre: bool = True,
    placement: Placement | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> Image.Image:
    """A drawing from the bytes of a PNG, JPEG or other image, an SVG, or Quick, Draw! strokes.

    What the bytes are is read from them. Of strokes the first line counts.

    Args:
        data: of a file or an upload.
        name: for messages.
        clean: "auto" turns a photographed sheet of paper into black on white and leaves drawings
            that are so already alone; "yes" always does, "no" never.
        centre: bring a drawing that lies unlike the training sketches to their place and size.
        placement: where those lie, from the gallery (`Searcher.placement`).
        max_bytes, max_pixels: larger ones are refused.

    Returns:
        Square RGB picture, dark on white.

    Raises:
        UsageError: there is no such way to clean.
        CorruptError: too large, damaged, no drawing, or nothing is drawn on it.
    """
    if clean not in CLEAN:
        raise UsageError(f"There is no way {clean!r} to clean.", f"Take {', '.join(CLEAN)}.")
    try:
        return _read(data, clean, centre, placement or Placement(), max_bytes, max_pixels)
    except CorruptError as error:
        what = f"The drawing {name!r}" if name else "The drawing"
        raise CorruptError(
            f"{what} cannot be read: {error.message}.",
            error.hint or "Give a PNG, JPEG, SVG, or .ndjson strokes of Quick, Draw!.",
        ) from error


def _read(
    data: bytes, clean: str, centre: bool, placement: Placement, max_bytes: int, max_pixels: int
) -> Image.Image:
    if len(data) > max_bytes:
        raise CorruptError(
            f"it has {human_bytes(len(data))}, more than {human_bytes(max_bytes)}",
            "Make it smaller.",
        )
    strokes = _strokes(data)
    if strokes is not None:
        grey = render(*strokes)
    else:
        grey = decode_photo(data, max_pixels=max_pixels).convert("L")
        grey.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
        if clean == "yes" or (clean == "auto" and not is_clean(np.asarray(grey))):
            grey = Image.fromarray(clean_paper(np.asarray(grey)))
    if not (np.asarray(grey) < PAPER).any():
        raise CorruptError("nothing is drawn on it", "Draw something.")
    return (normalize_placement(grey, placement) if centre else pad_to_square(grey)).convert("RGB")


def _strokes(
    data: bytes,
) -> tuple[Strokes, Pen, tuple[float, float, float, float] | None] | None:
    """Strokes, pen and sheet where the bytes are a vector drawing, else None."""
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    pen = Pen(canvas=_CANVAS)
    if text.startswith(b"{"):
        return parse_drawing(text.partition(b"\n")[0]), pen, None
    if text.startswith(b"<"):
        strokes, sheet = parse_svg(text)
        return strokes, pen, sheet
    return None
