"""Painting laid-out pages: PNG by Pillow, PDF by matplotlib with text that stays text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw

from sbirctl.core.files import atomic_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.report.sheet_layout import Page, Picture, Text
from sbirctl.report.style import style
from sbirctl.report.text_layout import font, font_file, warn_of_missing

BADGE, MARK = 18, 14  # sides of the corner with ✓ or ✗, and size of the sign
_POINT = 0.5  # points a pixel: a sheet's pixel is 1/144 inch


def save_png(page: Page, path: Path, report: Reporter = SILENT) -> None:
    """Write a page as PNG, atomically; `report` is warned of characters that are boxes."""
    image = Image.new("RGB", (page.width, page.height), "white")
    draw = ImageDraw.Draw(image)
    for picture in page.pictures:
        _paint(image, draw, picture)
    for text in page.texts:
        measure = font(text.size, text.bold)
        anchor = "ra" if text.right else "la"
        draw.text((text.x, text.y), text.words, fill=text.colour, font=measure, anchor=anchor)
    with atomic_path(path) as temporary:
        image.save(temporary, "PNG", compress_level=1)
    warn_of_missing((text.words for text in page.texts), path, report)


def _paint(image: Image.Image, draw: ImageDraw.ImageDraw, picture: Picture) -> None:
    x, y, frame, side = picture.x, picture.y, picture.frame, picture.side
    edge = side + 2 * frame - 1
    draw.rectangle((x, y, x + edge, y + edge), fill=picture.colour)
    shown = picture.image
    if shown.width != side:
        shown = shown.resize((side, side), Image.Resampling.LANCZOS)
    image.paste(shown, (x + frame, y + frame))
    if picture.mark:
        draw.rectangle((x, y, x + BADGE - 1, y + BADGE - 1), fill=picture.colour)
        middle = (x + BADGE / 2, y + BADGE / 2)
        draw.text(middle, picture.mark, fill="white", font=font(MARK, True), anchor="mm")


def save_pdf(pages: Iterable[Page], path: Path, report: Reporter = SILENT) -> None:
    """Write pages as one PDF, atomically; equal pages give equal bytes.

    `report` is warned of characters that are boxes.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    with (
        style(),
        atomic_path(path) as temporary,
        PdfPages(temporary, metadata={"CreationDate": None}) as document,
    ):
        words = set()
        for page in pages:
            document.savefig(_figure(page))
            words |= {text.words for text in page.texts}
    warn_of_missing(words, path, report)


def _figure(page: Page) -> Figure:
    figure = Figure(figsize=(page.width * _POINT / 72, page.height * _POINT / 72))
    # One frame for everything: hundreds of axes would take minutes.
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for picture in page.pictures:
        _place(axes, picture)
    for text in page.texts:
        _put(axes, text)
    axes.set(xlim=(0, page.width), ylim=(page.height, 0))
    return figure


def _place(axes: Axes, picture: Picture) -> None:
    x, y, frame, side = picture.x, picture.y, picture.frame, picture.side
    extent = (x + frame, x + frame + side, y + frame + side, y + frame)
    pixels = np.asarray(picture.image.convert("RGB"))
    axes.imshow(pixels, extent=extent, interpolation="none", aspect="auto", zorder=2)
    # Over the picture, which viewers widen to whole pixels: under it a thin frame would vanish.
    axes.add_patch(
        Rectangle(
            (x + frame / 2, y + frame / 2), side + frame, side + frame, fill=False, zorder=3,
            edgecolor=picture.colour, linewidth=frame * _POINT, joinstyle="miter",
        )
    )  # fmt: skip
    if picture.mark:
        axes.add_patch(Rectangle((x, y), BADGE, BADGE, color=picture.colour, linewidth=0, zorder=3))
        _put(axes, Text(x + 3, y + 1, picture.mark, MARK, "white", True))


def _put(axes: Axes, text: Text) -> None:
    axes.text(
        text.x,
        text.y,
        text.words,
        color=text.colour,
        font=FontProperties(fname=font_file(text.bold), size=text.size * _POINT),
        va="top",
        ha="right" if text.right else "left",
        zorder=4,
    )
