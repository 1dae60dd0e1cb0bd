"""`tsne`: embeddings to a picture, its coordinates and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sbirctl.core.files import atomic_open, digest_file, display_path, write_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import read_embeddings
from sbirctl.pipeline.pictures import beside, embeddings_files, marked, titles_of
from sbirctl.retrieval import embeddings as files
from sbirctl.retrieval.collapse import vector_signs

if TYPE_CHECKING:
    from sbirctl.report.tsne import Projection, TsneSettings

_COLUMNS = ("run", "x", "y", "modality", "class", "row", "path")


def tsne(
    sources: Sequence[Path] = (),
    output: Path | None = None,
    *,
    settings: TsneSettings | None = None,
    layout: Literal["one", "two"] = "one",
    columns: Literal[1, 2] = 2,
    names: Sequence[str] = (),
    report: Reporter = SILENT,
) -> Path:
    """Draw the t-SNE of a test side; beside it the coordinates (.csv) and facts (.json).

    Args:
        sources: embeddings (HDF5 or NPZ) or runs, drawn side by side in the same colours; none
            for the newest run.
        output: the picture, .png, .svg or .pdf; None for `tsne.png` in the run's folder, or
            `<name>-tsne.png` beside an embeddings file.
        settings: what is shown and how it is laid out.
        layout: both modalities in one panel, or sketches and photos in two on equal axes.
        columns: width in columns of a paper, 1 or 2.
        names: titles of the runs; by default there is none over a single one.
        report: for what was left out and how far the picture can be trusted.

    Returns:
        The picture's path.

    Raises:
        MissingError: there is no such file or run.
        UsageError: an unknown class or a wrong ending.
        MismatchError: too few points, or no class in common.
    """
    from sbirctl.report import style

    if output is not None:
        style.check_suffix(output)
    paths = embeddings_files(sources, report)
    picture = output or beside(paths[0], "tsne.png")
    from sbirctl.report import tsne_figure
    from sbirctl.report.tsne import TsneSettings, project, shared_classes

    found = [read_embeddings(path, report) for path in paths]
    settings = settings or TsneSettings()
    if len(paths) > 1 and not settings.classes:
        settings = replace(settings, classes=shared_classes(found))
    own = titles_of(paths, names) if names or len(paths) > 1 else [""]
    titles = [marked(name, one) for name, one in zip(own, found, strict=True)]
    projections = []
    for one, title in zip(found, titles, strict=True):
        for sign in vector_signs(one):
            report.warn(f"{title}: {sign}" if title else sign)
        projections.append(project(one, settings, report))
        _tell(projections[-1], title, report)
    figure = tsne_figure.draw(projections, titles, layout=layout, columns=columns)
    style.save(figure, picture, report)
    _write_points(picture.with_suffix(".csv"), projections, titles)
    runs = [
        {"run": title, "file": display_path(path), "sha256": digest_file(path), **_origin(one)}
        | projection.facts
        for path, title, one, projection in zip(paths, titles, found, projections, strict=True)
    ]
    write_json(picture.with_suffix(".json"), {"schema": 1, "runs": runs})
    return picture


def _origin(found: files.Embeddings) -> dict[str, Any]:
    keys = ("model", "checkpoint", "store", "task", "split")
    return {key: getattr(found, key) for key in keys}


def _tell(projection: Projection, title: str, report: Reporter) -> None:
    facts = projection.facts
    start = f"{title}: " if title else ""
    for what in ("sketches", "photos"):
        if facts[what] < facts[f"{what}_in_all"]:
            report.note(f"{start}showing {facts[what]:,} of {facts[f'{what}_in_all']:,} {what}")
    report.note(
        f"{start}trustworthiness {facts['trustworthiness']:.3f},"
        f" modality gap {facts['modality_gap']:.3f}"
    )


def _write_points(path: Path, projections: Sequence[Projection], titles: Sequence[str]) -> None:
    import csv

    from sbirctl.store.manifest import MODALITIES

    with atomic_open(path, "w") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(_COLUMNS)
        for projection, title in zip(projections, titles, strict=True):
            for i, (x, y) in enumerate(projection.xy):
                lines.writerow(
                    (
                        title,
                        f"{x:.5f}",
                        f"{y:.5f}",
                        MODALITIES[projection.modality[i]],
                        projection.classes[projection.label[i]],
                        projection.row[i],
                        projection.path[i],
                    )
                )
