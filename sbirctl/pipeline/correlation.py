"""`correlation`: how alike the classes' sketches and photos are, and which are confused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sbirctl.core.files import atomic_open, display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import read_embeddings
from sbirctl.pipeline.pictures import beside, embeddings_files, marked, titles_of

if TYPE_CHECKING:
    from sbirctl.report.correlation import Correlation

MOST_VALUES = 60  # classes; more numbers would be too small to read


def correlation(
    sources: Sequence[Path] = (),
    output: Path | None = None,
    *,
    classes: Sequence[str] = (),
    values: bool = False,
    pairs: int = 20,
    k: int = 10,
    names: Sequence[str] = (),
    columns: Literal[1, 2] = 2,
    report: Reporter = SILENT,
) -> dict[str, Any]:
    """Draw the matrix of each run, beside it all values (.csv) and confused pairs (.pairs.csv).

    Args:
        sources: embeddings or runs; none for the newest run.
        output: .png, .svg or .pdf; None for `correlation.png` in the run's folder, or
            `<name>-correlation.png` beside an embeddings file.
        classes: only these; empty for all.
        values: write the cosines into the picture.
        pairs: how many confused pairs of each run.
        k: length of the lists that a pair's share counts in.
        names: of the runs, by default those of their folders or files.
        columns: width in columns of a paper.

    Returns:
        picture, values, pairs (paths), k, and rows with `run`, `classes` in order and `pairs`.

    Raises:
        MissingError: there is no such file or run.
        UsageError: an unknown class, a wrong ending, or too many classes.
        MismatchError: fewer than two classes have sketches and photos.
    """
    from dataclasses import asdict

    from sbirctl.core.errors import UsageError
    from sbirctl.report import style

    if output is not None:
        style.check_suffix(output)
    paths = embeddings_files(sources, report)
    picture = output or beside(paths[0], "correlation.png")
    from sbirctl.report import correlation_figure
    from sbirctl.report.correlation import confusions
    from sbirctl.report.correlation import correlation as measure

    titles: list[str] = []
    found: list[Correlation] = []
    rows: list[dict[str, Any]] = []
    for path, name in zip(paths, titles_of(paths, names), strict=True):
        e = read_embeddings(path, report)
        title = marked(name, e)
        titles.append(title)
        one = measure(e, classes, found[0].classes if found else ())
        if values and len(one.classes) > MOST_VALUES:
            raise UsageError(
                f"The values of {len(one.classes)} classes would be too small to read.",
                f"Choose at most {MOST_VALUES} with --classes; the .csv has all values.",
            )
        left_out = len(e.classes) - len(one.classes)
        if left_out and not classes:
            report.note(f"{title}: {left_out} classes without sketches or photos are left out.")
        worst = confusions(e, one, k=k, report=report)[:pairs]
        found.append(one)
        rows.append({"run": title, "classes": one.classes, "pairs": [asdict(p) for p in worst]})
    figure = correlation_figure.draw(found, titles, values=values, columns=columns)
    wide = figure.get_figwidth()
    if wide > 1.01 * (style.COLUMN if columns == 1 else style.PAGE):
        report.note(
            f"{display_path(picture.name)} is {wide:.1f} inches wide, so that it can be read."
        )
    style.save(figure, picture, report)
    table = picture.with_suffix(".csv")
    _write_values(table, found, titles)
    confused = picture.with_suffix(".pairs.csv")
    _write_pairs(confused, rows, k)
    for row in rows:
        report.note(_worst(row))
    return {"picture": picture, "values": table, "pairs": confused, "k": k, "rows": rows}


def _worst(row: dict[str, Any]) -> str:
    named = [f"{p['sketch']} as {p['photo']} {p['margin']:+.3f}" for p in row["pairs"][:3]]
    return f"{row['run']}: most confused (margin): {', '.join(named) or 'none'}"


def _write_pairs(path: Path, rows: Sequence[dict[str, Any]], k: int) -> None:
    import csv

    keys = ("sketch", "photo", "cosine", "own", "margin", "share")
    with atomic_open(path, "w") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(("run", "sketches", "photos", "cosine", "own", "margin", f"share@{k}"))
        for row in rows:
            for pair in row["pairs"]:
                lines.writerow((row["run"], *(pair[key] for key in keys)))


def _write_values(path: Path, found: Sequence[Correlation], titles: Sequence[str]) -> None:
    import csv

    with atomic_open(path, "w") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(("run", "sketches", "photos", "cosine"))
        for one, title in zip(found, titles, strict=True):
            for i, sketch in enumerate(one.classes):
                for j, photo in enumerate(one.classes):
                    lines.writerow((title, sketch, photo, f"{one.matrix[i, j]:.6f}"))
