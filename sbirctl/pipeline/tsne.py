"""`tsne`: embeddings to a picture, its coordinates and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sbirctl.core.files import atomic_open, digest_file, display_path, write_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import find_embeddings, read_embeddings
from sbirctl.pipeline.pictures import beside, marked, run_name
from sbirctl.retrieval import embeddings as files
from sbirctl.retrieval.collapse import vector_signs

if TYPE_CHECKING:
    from sbirctl.report.tsne import Projection, TsneSettings

_COLUMNS = ("run", "x", "y", "modality", "class", "row", "path")


def tsne(
    source: Path | None = None,
    output: Path | None = None,
    *,
    settings: TsneSettings | None = None,
    layout: Literal["one", "two"] = "one",
    columns: Literal[1, 2] = 2,
    compare: Path | None = None,
    names: Sequence[str] = (),
    report: Reporter = SILENT,
) -> Path:
    """Draw the t-SNE of a test side; beside it the coordinates (.csv) and facts (.json).

    Args:
        source: embeddings (HDF5 or NPZ) or the folder of a run; None for the newest run.
        output: the picture, .png, .svg or .pdf; None for `tsne.png` in the run's folder, or
            `<name>-tsne.png` beside an embeddings file.
        settings: what is shown and how it is laid out.
        layout: both modalities in one panel, or sketches and photos in two on equal axes.
        columns: width in columns of a paper, 1 or 2.
        compare: a second source, drawn beside the first with the same colours.
        names: titles of the runs, by default the names of their folders or files when two are
            compared.
        report: for what was left out and how far the picture can be trusted.

    Returns:
        The picture's path.

    Raises:
        MissingError: there is no such file or run.
        UsageError: an unknown class or a wrong ending.
        MismatchError: too few points, or no class in common with `compare`.
    """
    from sbirctl.report import style, tsne_figure
    from sbirctl.report.tsne import TsneSettings, project, shared_classes

    sources = [find_embeddings(source, report)]
    if compare is not None:
        sources.append(find_embeddings(compare, report))
    picture = output or beside(sources[0], "tsne.png")
    style.check_suffix(picture)
    found = [read_embeddings(path, report) for path in sources]
    settings = settings or TsneSettings()
    if compare is not None and not settings.classes:
        settings = replace(settings, classes=shared_classes(found))
    own = list(names) or ([run_name(path) for path in sources] if compare is not None else [""])
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
        for path, title, one, projection in zip(sources, titles, found, projections, strict=True)
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
