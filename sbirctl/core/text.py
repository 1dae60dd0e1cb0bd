"""Text files of people: one reader for lists, tables and settings, whatever editor wrote them."""

from __future__ import annotations

import codecs
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from sbirctl.core.errors import CorruptError, UsageError
from sbirctl.core.files import display_path, human_bytes

_MARKS = (  # UTF-32 first: its mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_LINE_END = re.compile(r"\r*\n|\r")  # CR CR LF is what text copied twice in text mode ends with
# What the TOML reader does with a key grows with the square of its parts.
_MOST_DOTS = 200
_MOST_TOML = 1 << 18  # bytes
_MOST_TEXT = 1 << 30  # bytes; rankings of TREC are the largest
_SIGNS_PER_NUL = 8  # of a text in UTF-16, at most: line ends and blanks are ASCII


def read_text(place: Path | Traversable) -> str:
    """The text of a file: UTF-8, or UTF-16 or UTF-32 as Windows writes them.

    Raises:
        OSError: it cannot be read.
        CorruptError: it is in another encoding, or larger than any text that is read.
    """
    shown = display_path(str(place))
    with place.open("rb") as stream:
        data = stream.read(_MOST_TEXT + 1)
    if len(data) > _MOST_TEXT:
        raise CorruptError(
            f"{shown} has more than {human_bytes(_MOST_TEXT)}.", "Is it the right file?"
        )
    return decode(data, shown)


def decode(data: bytes, where: str, errors: str = "strict") -> str:
    """The text in bytes, without byte-order marks.

    Args:
        data: the bytes of a text file.
        where: its path or name, for messages.
        errors: what to do with bytes that are no UTF-8, as for `bytes.decode`.

    Raises:
        CorruptError: it is neither UTF-8 nor UTF-16 or UTF-32.
    """
    try:
        text = data.decode(_encoding(data), errors)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CorruptError(
            f"{where} is no UTF-8 text: line {line} has the byte 0x{data[error.start]:02x}.",
            "Save it as UTF-8; `iconv -f latin1 -t utf-8 FILE` does where it is Latin-1.",
        ) from error
    if "\0" in text:
        raise CorruptError(f"{where} is no text: it has NUL bytes.", "Is it the right file?")
    # Files with marks that were joined have some inside; DOS ends a text with Ctrl-Z.
    return text.replace("\ufeff", "").removesuffix("\x1a")


def lines(text: str) -> list[str]:
    """The lines of a text without their ends: LF, CR LF, CR CR LF or CR."""
    found = _LINE_END.split(text)
    return found if found[-1] else found[:-1]


def content(text: str) -> Iterator[tuple[int, str]]:
    """(number from 1, line) of what is neither blank nor a `#` comment, blanks at the ends off."""
    for number, line in enumerate(lines(text), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line


def composed(name: str) -> str:
    """A name as most systems write it (Unicode NFC); macOS hands out letters apart from accents."""
    return unicodedata.normalize("NFC", name)


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        UsageError: it is not TOML, or larger or deeper than any settings are.
    """
    if len(text) > _MOST_TOML or any(line.count(".") > _MOST_DOTS for line in lines(text)):
        raise UsageError(
            f"{where} is larger than any settings file, or has a line with more than "
            f"{_MOST_DOTS} dots.",
            "Is it the right file?",
        )
    try:
        return tomllib.loads("\n".join(lines(text)))
    except (ValueError, RecursionError) as error:  # the former of numbers of very many digits too
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(
            f"{where} is not TOML: {why}.", "Write key = value lines, as in a run's config.toml."
        ) from error


def _encoding(data: bytes) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    if len(data) % 2 == 0:  # UTF-16 without its mark: each sign of ASCII has one NUL, on one side
        big, little = data[::2].count(0), data[1::2].count(0)
        if min(big, little) == 0 and max(big, little) * _SIGNS_PER_NUL >= len(data) // 2 > 0:
            return "utf-16-be" if big else "utf-16-le"
    return "utf-8"
