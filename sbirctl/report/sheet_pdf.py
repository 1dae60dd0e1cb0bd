"""Laid-out pages as a PDF whose text stays text, drawn by matplotlib's PDF renderer itself.

Figures and their artists are left out: for a thousand pictures and four thousand lines of text they
take most of the time. Photos are kept as JPEG, as they came; sketches without loss.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_pdf import Name, PdfFile, RendererPdf
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D
from PIL import Image

from sbirctl.core.files import atomic_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.report.sheet_layout import BADGE, MARK, Page, Picture, Text
from sbirctl.report.style import style
from sbirctl.report.text_layout import font_file, warn_of_missing

if TYPE_CHECKING:
    from matplotlib.backend_bases import GraphicsContextBase, RendererBase

_POINT = 0.5  # points a pixel: a sheet's pixel is 1/144 inch
_QUALITY = {"quality": 92, "subsampling": 0}
Shown = dict[int, tuple[Image.Image, np.ndarray]]
"""{id of a picture: itself and its pixels}; a document keeps each once."""


def save_pdf(pages: Iterable[Page], path: Path, report: Reporter = SILENT) -> None:
    """Write pages as one PDF, atomically; equal pages give equal bytes.

    `report` is warned of characters that are boxes.
    """
    words = set()
    with style(), atomic_path(path) as temporary:
        document = _Document(temporary, metadata={"CreationDate": None})
        try:
            shown: Shown = {}
            for page in pages:
                width, height = page.width * _POINT, page.height * _POINT
                document.newPage(width / 72, height / 72)
                renderer = RendererPdf(document, 72, height, width)
                paint(page, renderer, shown)
                renderer.finalize()
                document.endStream()
                words |= {text.words for text in page.texts}
            document.finalize()
        finally:
            document.close()
    warn_of_missing(words, path, report)


def paint(page: Page, renderer: RendererBase, shown: Shown) -> None:
    """Draw a page.

    Args:
        renderer: of matplotlib.
        shown: the pictures that the document holds already.
    """
    for picture in page.pictures:
        _, pixels = shown.setdefault(id(picture.image), (picture.image, _pixels(picture.image)))
        x, side = picture.x + picture.frame, picture.side
        bottom = page.height - picture.y - picture.frame - side
        place = Affine2D().scale(side * _POINT)
        renderer.draw_image(renderer.new_gc(), x * _POINT, bottom * _POINT, pixels, place)
    # Over the pictures, which viewers widen to whole pixels: under one a thin frame would vanish.
    for picture in page.pictures:
        _frame(page, picture, renderer)
    for text in page.texts:
        _write(page, text, renderer)


def _pixels(image: Image.Image) -> np.ndarray:
    """(h, w) of a grey picture, else (h, w, 3), uint8."""
    return np.asarray(image if image.mode == "L" else image.convert("RGB"))


def _frame(page: Page, picture: Picture, renderer: RendererBase) -> None:
    x, y, frame = picture.x, picture.y, picture.frame
    side = picture.side + frame
    line = renderer.new_gc()
    line.set_foreground(picture.colour)
    line.set_linewidth(frame * _POINT)
    line.set_joinstyle("miter")
    _rectangle(page, x + frame / 2, y + frame / 2, side, line, None, renderer)
    if picture.mark:
        filled = renderer.new_gc()
        filled.set_linewidth(0)
        filled.set_foreground(picture.colour)
        _rectangle(page, x, y, BADGE, filled, filled.get_rgb(), renderer)
        _write(page, Text(x + 3, y + 1, picture.mark, MARK, "white", True), renderer)


def _rectangle(
    page: Page,
    x: float,
    y: float,
    side: float,
    line: GraphicsContextBase,
    face: tuple[float, float, float, float] | None,
    renderer: RendererBase,
) -> None:
    place = Affine2D().scale(side).translate(x, page.height - y - side).scale(_POINT)
    renderer.draw_path(line, Outline.unit_rectangle(), place, face)


def _write(page: Page, text: Text, renderer: RendererBase) -> None:
    properties = _properties(text.size, text.bold)
    _, height, descent = renderer.get_text_width_height_descent("lp", properties, False)
    x, y = text.x * _POINT, (page.height - text.y) * _POINT - (height - descent)
    if text.right:
        x -= renderer.get_text_width_height_descent(text.words, properties, False)[0]
    ink = renderer.new_gc()
    ink.set_foreground(text.colour)
    renderer.draw_text(ink, x, y, text.words, properties, 0)


@cache
def _properties(size: int, bold: bool) -> FontProperties:
    return FontProperties(fname=font_file(bold), size=size * _POINT)


class _Document(PdfFile):  # type: ignore[misc]
    """A PDF that keeps photos as JPEG: matplotlib's own way takes most of a sheet's time."""

    def writeImages(self) -> None:  # noqa: N802 - matplotlib's name
        held = [(pixels, place) for pixels, _, place in self._images.values()]
        for pixels, place in held:
            if pixels.ndim == 2:
                self._write(place, pixels, {"ColorSpace": Name("DeviceGray")}, pixels.tobytes())
        with rc_context({"pdf.compression": 0}):  # they are compressed
            for pixels, place in held:
                if pixels.ndim == 3:
                    stream = io.BytesIO()
                    Image.fromarray(pixels).save(stream, "JPEG", **_QUALITY)
                    kind = {"ColorSpace": Name("DeviceRGB"), "Filter": Name("DCTDecode")}
                    self._write(place, pixels, kind, stream.getvalue())

    def _write(self, place: Any, pixels: np.ndarray, kind: dict[str, Any], data: bytes) -> None:
        facts = {
            "Type": Name("XObject"),
            "Subtype": Name("Image"),
            "Width": pixels.shape[1],
            "Height": pixels.shape[0],
            "BitsPerComponent": 8,
        }
        self.beginStream(place.id, self.reserveObject("length of image stream"), facts | kind)
        self.currentstream.write(data)
        self.endStream()
