"""TREC's files: rankings (`query Q0 photo rank score name`) and judgements (`query 0 photo grade`).

As trec_eval reads them: the rank column is not looked at; the higher score is first, of equal ones
the photo whose name is later in the alphabet. A grade above 0 is relevant.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sbirctl.core.errors import CorruptError, MismatchError, MissingError
from sbirctl.core.files import atomic_open, display_path
from sbirctl.core.text import lines, read_text
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.neighbours import nearest
from sbirctl.retrieval.ranked_lists import RankedLists

_BLOCK = 512


def read_trec(run: Path, judgements: Path) -> RankedLists:
    """The rankings of a run's file, judged.

    Every query that has a relevant photo counts: one that the run leaves out has an empty list.

    Raises:
        MissingError: a file is not there.
        CorruptError: a line is none of such a file.
        MismatchError: no query is in both, or a photo is listed twice for one.
    """
    relevant: dict[str, set[str]] = {}
    for number, (query, _, photo, grade) in _rows(judgements, 4, "judgement"):
        photos = relevant.setdefault(query, set())
        if _number(judgements, number, grade) > 0:
            photos.add(photo)
    ranked: dict[str, dict[str, float]] = {}
    for number, (query, _, photo, _, score, _) in _rows(run, 6, "ranking"):
        own = ranked.setdefault(query, {})
        if photo in own:
            raise MismatchError(
                f"{display_path(run)} line {number} lists {photo} twice for {query}.",
                "List each photo once a query.",
            )
        own[photo] = _number(run, number, score)
    queries = sorted(query for query, photos in relevant.items() if photos)
    if not any(query in ranked for query in queries):
        raise MismatchError(
            f"No query of {display_path(judgements)} is ranked in {display_path(run)}.",
            "Spell the queries alike in both.",
        )
    longest = max(len(ranked.get(query, ())) for query in queries)
    hit = np.zeros((len(queries), longest), dtype=bool)
    tied = False
    for i, query in enumerate(queries):
        own = ranked.get(query, {})
        order = sorted(own, key=lambda photo: (own[photo], photo), reverse=True)
        for rank, photo in enumerate(order):
            hit[i, rank] = photo in relevant[query]
        scores = np.array([own[photo] for photo in order])
        mixed = hit[i, 1 : len(order)] != hit[i, : max(len(order) - 1, 0)]
        tied |= bool((mixed & (scores[1:] == scores[:-1])).any())
    counts = np.array([len(relevant[query]) for query in queries])
    missing = sum(query not in ranked for query in queries)
    return RankedLists(hit, counts, tuple(queries), tied, missing)


def write_trec(e: Embeddings, run: Path, judgements: Path, depth: int) -> None:
    """Our ranking and its judgements, for other programs.

    Queries are q0, q1, … and photos g0, g1, … in the order of the file. Scores fall by one a rank,
    so that every program sees our order of equal scores.

    Args:
        depth: photos a query.

    Raises:
        MissingError: the embeddings are scores of pairs, without vectors.
    """
    if e.matrix is not None:
        raise MissingError("There are no vectors to rank.", "Give embeddings.")
    with atomic_open(run, "w") as stream:
        for start in range(0, len(e.query), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(e.query)))
            for query, photos in zip(rows, nearest(e, rows, depth).row, strict=True):
                for place, photo in enumerate(photos[photos >= 0]):
                    print(f"q{query} Q0 g{photo} {place + 1} {depth - place} sbirctl", file=stream)
    with atomic_open(judgements, "w") as stream:
        for number, label in enumerate(e.query_label):
            same = e.gallery_label == label
            if e.scope == "class" and e.query_group is not None and e.gallery_group is not None:
                same &= e.gallery_group == e.query_group[number]
            for photo in np.flatnonzero(same):
                print(f"q{number} 0 g{photo} 1", file=stream)


def _rows(path: Path, columns: int, what: str) -> Iterator[tuple[int, list[str]]]:
    try:
        text = read_text(path)
    except FileNotFoundError as error:
        raise MissingError(f"There is no file {display_path(path)}.", "Check the path.") from error
    except OSError as error:
        raise MissingError(
            f"{display_path(path)} cannot be read: {error.strerror}.", "Check it."
        ) from error
    for number, line in enumerate(lines(text), 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != columns:
            raise CorruptError(
                f"{display_path(path)} line {number} has {len(cells)} columns; a TREC {what} "
                f"has {columns}.",
                "Is it the right file?",
            )
        yield number, cells


def _number(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise CorruptError(
            f"{display_path(path)} line {line}: {text!r} is no number.", "Write one."
        )
    return value
