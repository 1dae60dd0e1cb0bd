"""Painting a laid-out page as PNG, by Pillow."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from sbirctl.core.files import atomic_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.report.sheet_layout import BADGE, MARK, Page, Picture
from sbirctl.report.text_layout import font, warn_of_missing


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
