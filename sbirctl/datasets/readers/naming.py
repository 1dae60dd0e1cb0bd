"""Names of classes and items from file names, which may be any bytes."""

from __future__ import annotations

import os
from collections import Counter

from sbirctl.core.files import display_path
from sbirctl.core.text import composed


def shown(name: bytes) -> str:
    """A file's or folder's name as printable text, accents composed: one name, one class."""
    text = composed(os.fsdecode(name))
    return text if text.isprintable() else display_path(name)


class Ids:
    """Hands out ids that are printable and unique: a name that comes again gets `~2`."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def new(self, kind: str, class_name: str, file: bytes) -> str:
        """`<kind>/<class>/<file name>`."""
        wanted = f"{kind}/{class_name}/{shown(file)}"
        self._given[wanted] += 1
        again = self._given[wanted]
        if again == 1:
            return wanted
        return self.new(kind, class_name, file + b"~%d" % again)


def stem(file: bytes) -> str:
    """A file's name without its ending, printable."""
    return shown(os.path.splitext(file)[0])


def before_number(text: str, signs: str = "-_") -> str:
    """What precedes the last `-` or `_`: `chair_v1_2` is drawn from `chair_v1`; "" if none does."""
    place = max(text.rfind(sign) for sign in signs)
    return text[:place] if place > 0 else ""
