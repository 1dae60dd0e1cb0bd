"""How near nouns are to each other in WordNet, read from its own files.

Miller, "WordNet: A Lexical Database for English", 1995; the format is that of its manual page
wndb(5WN). Only `data.noun` and `index.noun` are read, of any version whose offsets are those that
ImageNet's labels use (3.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.files import display_path

_KIND, _INSTANCE = "@", "@i"


class WordNet:
    """The nouns: which synsets a word has, and what each is a kind of.

    Attributes:
        senses: {word, lower case with underscores: its synsets, the most usual first}.
        above: {synset: (what it is a kind of, what it is an instance of)}.
    """

    def __init__(
        self,
        senses: Mapping[str, tuple[str, ...]],
        above: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]],
    ) -> None:
        self.senses = senses
        self.above = above
        self._kinds = cache(self._kinds_of)
        self._distances = cache(self._distances_of)

    def noun(self, words: str) -> str | None:
        """The most usual synset of a noun; of its last words where it has none of its own."""
        parts = words.lower().replace("-", "_").replace(" ", "_").split("_")
        names = ("_".join(parts[start:]) for start in range(len(parts)))
        return next((self.senses[name][0] for name in names if name in self.senses), None)

    def near(self, first: str, second: str, least: float) -> float:
        """1 where one is the other or a kind of it, else 1 / (1 + edges of the shortest way).

        Args:
            first, second: synsets.
            least: what is not above it is 0.
        """
        if first in self._kinds(second) or second in self._kinds(first):
            return 1.0
        one, other = self._distances(first), self._distances(second)
        edges = [one[top] + other[top] for top in one.keys() & other.keys()]
        share = 1 / (1 + min(edges)) if edges else 0.0
        return share if share > least else 0.0

    def _kinds_of(self, synset: str) -> set[str]:
        """A synset and all it is a kind of."""
        found: set[str] = set()
        waiting = [synset]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.above[one][0]
        return found

    def _distances_of(self, synset: str) -> dict[str, int]:
        """{what is above a synset: edges up to it}, itself at 0."""
        found: dict[str, int] = {}
        edge, level = 0, [synset]
        while level:
            for one in level:
                found.setdefault(one, edge)
            level = [up for one in level for ups in self.above[one] for up in ups]
            level = [one for one in dict.fromkeys(level) if one not in found]
            edge += 1
        return found


@cache
def read_wordnet(folder: Path) -> WordNet:
    """WordNet's nouns from a folder.

    Raises:
        MissingError: a file is not there.
        CorruptError: a line is not of the format.
    """
    data, index = folder / "data.noun", folder / "index.noun"
    for path in (data, index):
        if not path.is_file():
            raise MissingError(
                f"WordNet's {path.name} is not in {display_path(folder)}.",
                "Put data.noun and index.noun of WordNet 3.0 there, or compare names alone:"
                " --set semantics=names.",
            )
    try:
        above = dict(map(_synset, _lines(data)))
        senses = dict(map(_word, _lines(index)))
    except (ValueError, IndexError) as error:
        raise CorruptError(f"{display_path(folder)} holds no files of WordNet.") from error
    return WordNet(senses, above)


def _lines(path: Path) -> Iterator[Sequence[str]]:
    """The fields of each line; those of the licence begin with a space."""
    with path.open(encoding="utf-8") as stream:
        yield from (line.partition(" | ")[0].split() for line in stream if line[0] != " ")


def _synset(fields: Sequence[str]) -> tuple[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    at = 4 + 2 * int(fields[3], 16)
    pointers = [fields[at + 1 + 4 * i : at + 5 + 4 * i] for i in range(int(fields[at]))]
    kinds, instances = (
        tuple(f"n{pointer[1]}" for pointer in pointers if pointer[0] == sign)
        for sign in (_KIND, _INSTANCE)
    )
    return f"n{fields[0]}", (kinds, instances)


def _word(fields: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    return fields[0], tuple(f"n{offset}" for offset in fields[6 + int(fields[3]) :])
