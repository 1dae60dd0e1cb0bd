"""`curves`: how training went, and how precision falls along the ranking."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sbirctl.core.errors import MissingError
from sbirctl.core.files import atomic_open, display_path
from sbirctl.core.home import newest_run
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import read_embeddings
from sbirctl.pipeline.pictures import beside, embeddings_files, marked, titles_of
from sbirctl.training.find import find_run

if TYPE_CHECKING:
    from sbirctl.report.curves import RankingCurves
    from sbirctl.report.curves_log import Series

Kind = Literal["ranking", "training"]
LEVEL = 0.95

Rows = Iterable[tuple[object, ...]]


def curves(
    sources: Sequence[Path] = (),
    output: Path | None = None,
    *,
    kind: Kind = "ranking",
    most: int = 200,
    seed: int = 0,
    names: Sequence[str] = (),
    columns: Literal[1, 2] = 2,
    report: Reporter = SILENT,
) -> Path:
    """Draw the curves of some runs in one picture; beside it the same as .csv.

    Args:
        sources: for "ranking" embeddings or runs, for "training" runs or their logs; none for the
            newest run.
        output: .png, .svg or .pdf; None for `curves.png` or `training.png` in the run's folder,
            or `<name>-curves.png` beside an embeddings file.
        kind: "ranking": precision over recall and at K, with bootstrap bands; "training": loss
            terms, validation and unseen figures from the logs.
        most: largest K.
        seed: of the bootstrap.
        names: of the runs, by default those of their folders or files.
        columns: width in columns of a paper.

    Returns:
        The picture's path.

    Raises:
        MissingError: there is no such file, run or log.
        UsageError: a wrong ending.
        CorruptError: a log is damaged.
    """
    from sbirctl.report import style

    draw = _training if kind == "training" else _ranking
    if output is not None:
        style.check_suffix(output)
    figure, table, place = draw(sources, names, columns, most, seed, report)
    picture = output or place
    style.save(figure, picture, report)
    with atomic_open(picture.with_suffix(".csv"), "w") as stream:
        csv.writer(stream, lineterminator="\n").writerows(table)
    return picture


def _ranking(
    sources: Sequence[Path],
    names: Sequence[str],
    columns: Literal[1, 2],
    most: int,
    seed: int,
    report: Reporter,
) -> tuple[Any, Rows, Path]:
    paths = embeddings_files(sources, report)
    from sbirctl.report.curves import ranking_curves
    from sbirctl.report.curves_figure import draw_ranking

    titles, found = [], []
    for path, name in zip(paths, titles_of(paths, names), strict=True):
        e = read_embeddings(path, report, vectors=False)
        title = marked(name, e)
        titles.append(title)
        found.append(ranking_curves(e, most=most, level=LEVEL, seed=seed, report=report))
        if most > len(e.gallery):
            report.note(f"{title}: K ends at {len(e.gallery):,}, the size of the gallery.")
        if found[-1].queries < len(e.query):
            left = len(e.query) - found[-1].queries
            report.warn(f"{title}: {left:,} queries without a relevant photo are left out.")
    figure = draw_ranking(found, titles, level=LEVEL, columns=columns)
    return figure, _ranking_rows(found, titles), beside(paths[0], "curves.png")


def _ranking_rows(found: Sequence[RankingCurves], titles: Sequence[str]) -> Rows:
    yield ("run", "curve", "x", "precision", "low", "high", "level", "queries")
    for run, title in zip(found, titles, strict=True):
        for name, curve in (("recall", run.recall), ("K", run.cut)):
            for x, *ys in zip(curve.x, curve.y, curve.low, curve.high, strict=True):
                yield (title, name, f"{x:g}", *(f"{y:.6f}" for y in ys), LEVEL, run.queries)


def _training(
    sources: Sequence[Path],
    names: Sequence[str],
    columns: Literal[1, 2],
    _most: int,
    _seed: int,
    report: Reporter,
) -> tuple[Any, Rows, Path]:
    from sbirctl.report.curves_figure import draw_training
    from sbirctl.report.curves_log import read_log

    logs = [_log_of(source, report) for source in sources]
    if not logs:
        newest = newest_run()
        report.note(f"Showing the newest run, {display_path(newest)}.")
        logs = [_log_of(newest, report)]
    titles = titles_of(logs, names)
    found = [read_log(log) for log in logs]
    figure = draw_training(found, titles, columns=columns)
    return figure, _training_rows(found, titles), logs[0].with_name("training.png")


def _training_rows(found: Sequence[Sequence[Series]], titles: Sequence[str]) -> Rows:
    yield ("run", "phase", "kind", "name", "x", "value")
    for run, title in zip(found, titles, strict=True):
        for series in run:
            for x, y in zip(series.x, series.y, strict=True):
                value = "" if y != y else repr(float(y))  # NaN: it was not finite
                yield (title, series.phase, series.kind, series.name, int(x), value)


def _log_of(source: Path, report: Reporter) -> Path:
    """The log of a run's folder or name, of a file in a run's folder, or a log itself.

    Raises:
        MissingError: there is none.
    """
    from sbirctl.report.curves_log import LOG

    run = None if source.exists() else find_run(str(source), report)
    for folder in (run or source, source.absolute().parent):
        if folder.is_dir() and (folder / LOG).is_file():
            return folder / LOG
    raise MissingError(
        f"There is no training log for {display_path(source)}.",
        "Name the folder of a run: see `sbirctl runs`.",
    )
