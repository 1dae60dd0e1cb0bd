"""What a printed figure is: definition, sides, chance, and what it can be compared with."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sbirctl.core.errors import UsageError, nearest


@dataclass(frozen=True)
class Explanation:
    """A figure in words.

    Attributes:
        name: as commands print it; K stands for any cut-off.
        aliases: other words for it.
        what: what it says. formula: how it is computed. sides: what is set against what.
        chance: of a model that knows nothing. compare: with what it can be compared.
        see: a page of docs/.
    """

    name: str
    aliases: tuple[str, ...]
    what: str
    formula: str
    sides: str
    chance: str
    compare: str
    see: str

    @property
    def paragraph(self) -> str:
        """All of it as text for people."""
        return (
            f"{self.name}: {self.what}\n"
            f"Formula: {self.formula}.\n"
            f"Sides: {self.sides}.\n"
            f"Chance: {self.chance}.\n"
            f"Compare it with: {self.compare}.\n"
            f"More: docs/{self.see}\n"
        )


@cache
def explanations() -> tuple[Explanation, ...]:
    """All figures that are explained."""
    text = files("sbirctl.report").joinpath("figures.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["figures"]
    return tuple(Explanation(**{**row, "aliases": tuple(row["aliases"])}) for row in rows)


def explain(name: str) -> Explanation:
    """The figure of that name; of `map@200` that of `map@K`, with 200 for K.

    Raises:
        UsageError: no figure is called so.
    """
    asked = " ".join(name.split())
    for one in explanations():
        if asked.lower() in {word.lower() for word in (one.name, *one.aliases)}:
            return one
    kind, at, cut = asked.partition("@")
    if at and re.fullmatch("[1-9][0-9]*", cut):
        for one in explanations():
            if f"{kind.lower()}@k" in {word.lower() for word in (one.name, *one.aliases)}:
                return _with(one, cut)
    known = sorted({word for one in explanations() for word in (one.name, *one.aliases)})
    raise UsageError(
        f"No figure is called {name!r}.",
        f"{nearest(asked, known)} `sbirctl explain` lists those that are explained.",
    )


def _with(one: Explanation, cut: str) -> Explanation:
    """The explanation with a number for K."""
    texts = {
        key: re.sub(r"(?<![A-Za-z])K(?![A-Za-z])", cut, getattr(one, key))
        for key in ("name", "what", "formula", "chance", "compare")
    }
    return Explanation(**{**vars(one), **texts})
