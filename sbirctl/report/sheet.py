"""A retrieval sheet as values: chosen queries and, of each run, the first photos it ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.report.sheet_selection import Selection, select
from sbirctl.retrieval.comparison import align
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import problems
from sbirctl.retrieval.metrics import Metric, per_query
from sbirctl.retrieval.neighbours import nearest
from sbirctl.retrieval.ranking import Plan, rank
from sbirctl.retrieval.ranking_problem import Consumer, RankingProblem
from sbirctl.retrieval.ranks import Ranks


@dataclass(frozen=True)
class RankedPhoto:
    """One ranked photo.

    Attributes:
        rank: from 1.
        row: of the gallery.
        score: cosine, or as given in the file.
        right: whether it is of the query's class.
        own: whether the sketch was drawn from it.
        class_name, name: its class and path, printable.
    """

    rank: int
    row: int
    score: float
    right: bool
    own: bool
    class_name: str
    name: str


@dataclass(frozen=True)
class Answer:
    """What one run ranks first for a query.

    Attributes:
        run: index into `Sheet.runs`.
        precision: average precision over the whole gallery; None where it has no relevant photo.
    """

    run: int
    precision: float | None
    hits: tuple[RankedPhoto, ...]


@dataclass(frozen=True)
class SheetQuery:
    """A query, its row in the first run's file, and an answer a run."""

    row: int
    class_name: str
    name: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Sheet:
    """A retrieval sheet.

    Attributes:
        title: what was searched.
        rule: how the queries were chosen, in words.
        limit: what was left out and why; "" for nothing.
        runs: a name a run; ("",) where there is one and it needs none.
        k: photos a row.
        queries: in the order they are shown.
        score: what photos are ranked by: "cosine", or "score" as given in the files.
    """

    title: str
    rule: str
    limit: str
    runs: tuple[str, ...]
    k: int
    queries: tuple[SheetQuery, ...]
    score: str = "cosine"


def build(
    found: Sequence[Embeddings],
    runs: Sequence[str],
    selection: Selection,
    k: int,
    *,
    most: int,
    report: Reporter = SILENT,
) -> Sheet:
    """Choose queries by the first run and rank them in all.

    Args:
        found: embeddings, one a run, of the same queries.
        runs: their names.
        k: photos a row.
        most: most photos of a sheet; queries beyond it are left out, and the sheet says so.

    Raises:
        UsageError, MismatchError: as `select` and `align`.
    """
    first = found[0]
    aligned = [np.arange(len(first.query)), *(align(first, other) for other in found[1:])]
    precision = None
    if selection.needs_precision:
        precision = average_precision(first, report=report)
    chosen, rule = select(first, selection, precision)
    if selection.needs_precision and len(found) > 1:
        rule += f", by {display_path(runs[0])}"
    room = max(most // (k * len(found)), 1)
    limit = ""
    if len(chosen) > room:
        limit = f"only the first {room:,} of these {len(chosen):,} queries"
        limit += f"; a sheet of this size holds {most:,} photos"
        chosen = chosen[:room]
    answers = [
        _answers(number, e, rows[chosen], k, report)
        for number, (e, rows) in enumerate(zip(found, aligned, strict=True))
    ]
    queries = tuple(
        SheetQuery(
            int(row),
            display_path(first.classes[first.query_label[row]]),
            _name(first.query_path, int(row)),
            tuple(each[i] for each in answers),
        )
        for i, row in enumerate(chosen)
    )
    score = "cosine" if all(e.matrix is None for e in found) else "score"
    names = tuple(map(display_path, runs))
    return Sheet(_title(first), rule, limit, names, k, queries, score)


def average_precision(
    e: Embeddings, rows: np.ndarray | None = None, report: Reporter = SILENT
) -> np.ndarray:
    """(Q,) float64: average precision over the whole gallery under `standard`.

    NaN for queries without a relevant photo, and for those not in `rows` where that is given.
    """
    value = np.full(len(e.query), np.nan)

    def take(queries: np.ndarray, ranks: Ranks) -> None:
        value[queries] = per_query(Metric("map", None), get("standard"), ranks)

    # np.unique would import numpy.ma, a twentieth of what a whole sheet takes
    once = None if rows is None else np.array(sorted(set(rows.tolist())), dtype=np.int64)
    for ranked, photos in problems(e):
        mine = ranked if once is None else once
        if ranked is not None and rows is not None:
            mine = np.intersect1d(ranked, rows)
        if mine is None or len(mine):
            rank(
                RankingProblem.from_embeddings(e, "cosine", None, mine, photos),
                Consumer(take),
                Plan(),
                report,
            )
    return value


def _answers(run: int, e: Embeddings, rows: np.ndarray, k: int, report: Reporter) -> list[Answer]:
    neighbours = nearest(e, rows, k, report)
    precision = average_precision(e, rows, report)
    made = []
    for i, row in enumerate(rows):
        hits = tuple(
            _hit(e, int(row), rank, int(photo), float(score))
            for rank, (photo, score) in enumerate(
                zip(neighbours.row[i], neighbours.score[i], strict=True), 1
            )
            if photo >= 0
        )
        value = precision[row]
        made.append(Answer(run, None if np.isnan(value) else float(value), hits))
    return made


def _hit(e: Embeddings, query: int, rank: int, photo: int, score: float) -> RankedPhoto:
    label = e.gallery_label[photo]
    own = False
    if e.query_instance is not None and e.gallery_instance is not None:
        own = bool(e.query_instance[query] == e.gallery_instance[photo] >= 0)
    return RankedPhoto(
        rank,
        photo,
        score,
        bool(label == e.query_label[query]),
        own,
        display_path(e.classes[label]),
        _name(e.gallery_path, photo),
    )


def _name(paths: np.ndarray | None, row: int) -> str:
    return f"row {row}" if paths is None else display_path(bytes(paths[row]))


def _title(e: Embeddings) -> str:
    parts = (e.provenance.dataset or "", e.task, e.split.rpartition("/")[2])
    where = ", ".join(display_path(part) for part in parts if part)
    counts = f"{len(e.query):,} sketches, {len(e.gallery):,} photos, {len(e.classes)} classes"
    done = f"; {e.provenance.after_model}" if e.provenance.after_model else ""
    return f"{where}: {counts}{done}" if where else f"{counts}{done}"
