"""Text in pictures: how wide it is, where it is cut, and which characters the font lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont

from sbirctl.core.files import display_path
from sbirctl.core.progress import Reporter

FAMILY = "DejaVu Sans"  # comes with matplotlib: the same characters everywhere
_FINE = 720  # pixels an inch that figures are measured in, so that a width is not rounded
_NAMED = 8  # missing characters that a warning shows


@cache
def font_file(bold: bool) -> Path:
    """The file of `FAMILY`."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font of that size in pixels."""
    return ImageFont.truetype(str(font_file(bold)), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=65536)
def ellipsize(text: str, max_width: int, size: int, bold: bool = False) -> str:
    """The text, cut in the middle where it is wider than `max_width` pixels."""
    measure = font(size, bold)
    if measure.getlength(text) <= max_width:
        return text
    low, high = 0, len(text) - 1  # characters that are kept
    while low < high:
        keep = (low + high + 1) // 2
        low, high = (
            (keep, high) if measure.getlength(_cut(text, keep)) <= max_width else (low, keep - 1)
        )
    return _cut(text, low)


def ellipsize_inches(text: str, max_width: float, points: float) -> str:
    """The text, cut in the middle where it is wider than `max_width` inches."""
    return ellipsize(text, int(max_width * _FINE), round(points * _FINE / 72))


def name_lines(name: str, max_width: float, points: float) -> list[str]:
    """A name in lines of at most `max_width` inches, broken behind blanks and hyphens.

    A part that is wider alone is broken anywhere: nothing of the name is lost.
    """
    room, size = int(max_width * _FINE), round(points * _FINE / 72)
    measure = font(size)
    parts = []
    for part in filter(None, re.findall(r"[^ -]*[ -]?", name)):
        rest = part
        while measure.getlength(rest) > room:
            fits = max(
                (n for n in range(2, len(rest)) if measure.getlength(rest[:n]) <= room), default=1
            )
            parts.append(rest[:fits])
            rest = rest[fits:]
        parts.append(rest)
    return [line.strip() for line in _lines(parts, "", room, size, False)]


def inches(text: str, points: float) -> float:
    """Width of the text in inches."""
    return font(round(points * _FINE / 72)).getlength(text) / _FINE


def wrapped(text: str, max_width: int, size: int, bold: bool = False) -> list[str]:
    """The text in lines of at most `max_width` pixels."""
    return _lines(text.split(), " ", max_width, size, bold)


def wrapped_name(name: str, max_width: int, size: int, bold: bool = False) -> list[str]:
    """A name in lines of at most `max_width` pixels, broken behind its hyphens."""
    return _lines(
        [f"{part}-" for part in name.split("-")[:-1]] + name.split("-")[-1:],
        "",
        max_width,
        size,
        bold,
    )


def _lines(parts: Iterable[str], between: str, max_width: int, size: int, bold: bool) -> list[str]:
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}{between}{part}" if lines[-1] else part
        if lines[-1] and font(size, bold).getlength(longer) > max_width:
            lines.append(part)
        else:
            lines[-1] = longer
    return [ellipsize(line, max_width, size, bold) for line in lines]


def warn_of_missing(texts: Iterable[str], path: Path, report: Reporter) -> None:
    """Say which characters a picture shows as boxes, because the font has none for them."""
    from matplotlib.font_manager import get_font

    known = get_font(str(font_file(False))).get_charmap()
    characters = {character for text in texts for character in text if character.isprintable()}
    found = sorted(character for character in characters if ord(character) not in known)
    if not found:
        return
    shown = " ".join(found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
    report.warn(
        f"{display_path(path.name)} shows boxes for characters that {FAMILY} lacks: {shown}"
    )


def _cut(text: str, keep: int) -> str:
    back = (keep + 1) // 2  # ends of file names tell more than their beginnings
    return f"{text[: keep - back]}…{text[len(text) - back :]}"
