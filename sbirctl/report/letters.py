"""Letters in pictures: how wide words are, where they are cut, and which the font lacks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import get_font
from PIL import ImageFont

from sbirctl.core.files import display_path
from sbirctl.core.progress import Reporter

FAMILY = "DejaVu Sans"  # comes with matplotlib: the same letters everywhere
_FINE = 720  # pixels an inch that figures are measured in, so that a letter's width is not rounded
_NAMED = 8  # missing letters that a warning shows


@cache
def font_file(bold: bool) -> Path:
    """The file of `FAMILY`."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font of that size in pixels."""
    return ImageFont.truetype(str(font_file(bold)), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=65536)
def fitted(words: str, room: int, size: int, bold: bool = False) -> str:
    """The words, cut in the middle where they are wider than `room` pixels."""
    letters = font(size, bold)
    if letters.getlength(words) <= room:
        return words
    low, high = 0, len(words) - 1  # letters that are kept
    while low < high:
        keep = (low + high + 1) // 2
        low, high = (
            (keep, high) if letters.getlength(_cut(words, keep)) <= room else (low, keep - 1)
        )
    return _cut(words, low)


def fitted_inches(words: str, room: float, points: float) -> str:
    """The words, cut in the middle where they are wider than `room` inches."""
    return fitted(words, int(room * _FINE), round(points * _FINE / 72))


def inches(words: str, points: float) -> float:
    """How wide the words are."""
    return font(round(points * _FINE / 72)).getlength(words) / _FINE


def wrapped(words: str, room: int, size: int, bold: bool = False) -> list[str]:
    """The words in lines of at most `room` pixels."""
    return _lines(words.split(), " ", room, size, bold)


def wrapped_name(name: str, room: int, size: int, bold: bool = False) -> list[str]:
    """A name in lines of at most `room` pixels, broken behind its hyphens."""
    return _lines(
        [f"{part}-" for part in name.split("-")[:-1]] + name.split("-")[-1:], "", room, size, bold
    )


def _lines(parts: Iterable[str], between: str, room: int, size: int, bold: bool) -> list[str]:
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}{between}{part}" if lines[-1] else part
        if lines[-1] and font(size, bold).getlength(longer) > room:
            lines.append(part)
        else:
            lines[-1] = longer
    return [fitted(line, room, size, bold) for line in lines]


def warn_of_missing(texts: Iterable[str], path: Path, report: Reporter) -> None:
    """Say which letters a picture shows as boxes, because the font has none for them."""
    known = get_font(str(font_file(False))).get_charmap()
    letters = {letter for text in texts for letter in text if letter.isprintable()}
    found = sorted(letter for letter in letters if ord(letter) not in known)
    if not found:
        return
    shown = " ".join(found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
    report.warn(f"{display_path(path.name)} shows boxes for letters that {FAMILY} lacks: {shown}")


def _cut(words: str, keep: int) -> str:
    back = (keep + 1) // 2  # ends of file names tell more than their beginnings
    return f"{words[: keep - back]}…{words[len(words) - back :]}"
