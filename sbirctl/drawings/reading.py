"""Drawings as people have them, to what a model was trained on: dark on white, square, in place."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from sbirctl.core.errors import CorruptError, UsageError
from sbirctl.core.files import human_bytes
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.drawings.paper import CLEAN, clean_paper, is_clean
from sbirctl.drawings.placement import PAPER, Placement, normalize_placement, pad_to_square
from sbirctl.store.images import decode_sketch

MAX_BYTES = 32 * 1024**2
MAX_PIXELS = 50_000_000
_LARGEST = 1024  # pixels of a side beyond which a drawing is reduced first
_CANVAS = 256
_BLANK = b"\xef\xbb\xbf \t\r\n"


def read_drawing(
    data: bytes,
    *,
    name: str = "",
    clean: str = "auto",
    centre: bool = True,
    placement: Placement | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    report: Reporter = SILENT,
) -> Image.Image:
    """A drawing from the bytes of a PNG, JPEG or other image, an SVG, or Quick, Draw! strokes.

    What the bytes are is read from them. Of several drawings of strokes the first counts. White ink
    on transparent paper becomes dark on white.

    Args:
        data: of a file or an upload.
        name: for messages.
        clean: "auto" turns a photographed sheet of paper into black on white and leaves drawings
            that are so already alone; "yes" always does, "no" never.
        centre: bring a drawing that lies unlike the training sketches to their place and size.
        placement: where those lie, from the gallery (`Searcher.placement`).
        max_bytes, max_pixels: larger ones are refused.
        report: warned of what of an SVG, or of several drawings, is left out.

    Returns:
        Square RGB picture, dark on white.

    Raises:
        UsageError: there is no such way to clean.
        CorruptError: too large, damaged, no drawing, or nothing is drawn on it.
    """
    if clean not in CLEAN:
        raise UsageError(f"There is no way {clean!r} to clean.", f"Take {', '.join(CLEAN)}.")
    what = f"The drawing {name!r}" if name else "The drawing"
    try:
        grey, left_out = _read(data, clean, max_bytes, max_pixels)
        if left_out:
            report.warn(f"{what} is not shown whole; left out: {left_out}.")
        if not (np.asarray(grey) < PAPER).any():
            raise CorruptError("nothing is drawn on it", "Draw something.")
    except CorruptError as error:
        raise CorruptError(
            f"{what} cannot be read: {error.message}.",
            error.hint or "Give a PNG, JPEG, SVG, or .ndjson strokes of Quick, Draw!.",
        ) from error
    sheet = normalize_placement(grey, placement or Placement()) if centre else pad_to_square(grey)
    return sheet.convert("RGB")


def is_lines(data: bytes) -> bool:
    """Whether a file holds lines, an SVG or strokes, rather than pixels."""
    return data.lstrip(_BLANK)[:1] in (b"{", b"[", b"<")


def _read(data: bytes, clean: str, max_bytes: int, max_pixels: int) -> tuple[Image.Image, str]:
    """The drawing in grey, and what of it is left out."""
    if len(data) > max_bytes:
        raise CorruptError(
            f"it has {human_bytes(len(data))}, more than {human_bytes(max_bytes)}",
            "Make it smaller.",
        )
    if is_lines(data):
        return _lines(data.lstrip(_BLANK))
    grey = decode_sketch(data, max_pixels=max_pixels)
    grey.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    if clean == "yes" or (clean == "auto" and not is_clean(np.asarray(grey))):
        grey = Image.fromarray(clean_paper(np.asarray(grey)))
    return grey, ""


def _lines(text: bytes) -> tuple[Image.Image, str]:
    from sbirctl.drawings.strokes import Pen, parse_drawing, render
    from sbirctl.drawings.svg import parse_svg

    pen = Pen(canvas=_CANVAS)
    if not text.startswith(b"<"):
        first, others = _first_drawing(text)
        return render(parse_drawing(first), pen), f"{others:,} more drawings" if others else ""
    drawing = parse_svg(text)
    return render(drawing.strokes, pen, drawing.sheet), drawing.remark


def _first_drawing(text: bytes) -> tuple[bytes, int]:
    """The first of the drawings of Quick, Draw!: of lines, of one object over several lines, or of
    a list of objects; and how many there are beside it."""
    line, _, rest = text.partition(b"\n")
    try:
        whole = json.loads(line)
        if isinstance(whole, dict):
            return line, sum(bool(one.strip()) for one in rest.split(b"\n"))
    except (ValueError, RecursionError):
        pass
    try:
        first, _ = json.JSONDecoder().raw_decode(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return line, 0  # whose own error is told
    others = 0
    if isinstance(first, list):
        if not first or not isinstance(first[0], dict):
            raise CorruptError(
                "it is a list, but not one of drawings",
                'Give objects of Quick, Draw!: {"drawing": [[[x, …], [y, …]], …]}, one a line.',
            )
        first, others = first[0], len(first) - 1
    return json.dumps(first).encode(), others
