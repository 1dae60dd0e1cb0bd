"""CLIP's byte-pair encoding (Radford et al., ICML 2021; Sennrich et al., ACL 2016).

A text is mended, unescaped, put in lower case and cut into words; each word's UTF-8 bytes are
joined pair by pair in the order of a published list of merges.
"""

from __future__ import annotations

import gzip
import html
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

START, END = "<start_of_text>", "<end_of_text>"
WORD_END = "</w>"
VOCABULARY = 49408
"""Bytes and bytes that end a word (512), merges (48,894), and the two marks."""
_WORDS = rf"{START}|{END}|'s|'t|'re|'ve|'m|'ll|'d|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+"


class ClipTokenizer:
    """Texts to the numbers that CLIP's text towers read.

    Args:
        merges: the published list, one pair of symbols a line after a first line that names its
            version, as text or gzip-compressed.
        context: numbers a text has, its two marks included.
    """

    def __init__(self, merges: Path, context: int = 77) -> None:
        import regex

        data = merges.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
        count = VOCABULARY - 2 * 256 - 2
        pairs = [tuple(line.split()) for line in text.split("\n")[1 : count + 1]]
        letters = _byte_letters()
        symbols = [*letters, *(letter + WORD_END for letter in letters), *map("".join, pairs)]
        self.context = context
        self._number = {symbol: n for n, symbol in enumerate([*symbols, START, END])}
        self._rank = {pair: n for n, pair in enumerate(pairs)}
        self._letter = dict(zip(_byte_order(), letters, strict=True))
        self._word = regex.compile(_WORDS, regex.IGNORECASE)
        self._joined = lru_cache(maxsize=65536)(self._join)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(n, context) int64: start mark, words, end mark, zeros; a longer text is cut."""
        found = np.zeros((len(texts), self.context), dtype=np.int64)
        for row, text in zip(found, texts, strict=True):
            numbers = [self._number[START], *self.encode(text), self._number[END]]
            numbers = numbers[: self.context]
            if len(numbers) == self.context:
                numbers[-1] = self._number[END]
            row[: len(numbers)] = numbers
        return found

    def encode(self, text: str) -> list[int]:
        """The numbers of a text, without marks."""
        import ftfy

        text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
        words = self._word.findall(" ".join(text.split()).lower())
        return [
            self._number[symbol]
            for word in words
            for symbol in self._joined("".join(self._letter[b] for b in word.encode("utf-8")))
        ]

    def _join(self, word: str) -> tuple[str, ...]:
        """Symbols of a word: always the pair that comes first in the list is joined."""
        if word in (START, END):
            return (word,)
        symbols = [*word[:-1], word[-1] + WORD_END]
        while len(symbols) > 1:
            pairs = set(pairwise(symbols))
            best = min(pairs, key=lambda pair: self._rank.get(pair, len(self._rank)))
            if best not in self._rank:
                break
            joined: list[str] = []
            for symbol in symbols:
                if joined and (joined[-1], symbol) == best:
                    joined[-1:] = ["".join(best), ""]  # the mark keeps a third symbol apart
                else:
                    joined.append(symbol)
            symbols = [symbol for symbol in joined if symbol]
        return tuple(symbols)


def _byte_order() -> list[int]:
    """The 256 bytes: printable ones first, in three runs."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return printable + [b for b in range(256) if b not in printable]


def _byte_letters() -> list[str]:
    """One letter a byte: itself where it is printable, else the next one from 256 on."""
    order = _byte_order()
    printable = 188
    return [chr(b) for b in order[:printable]] + [chr(256 + n) for n in range(256 - printable)]
