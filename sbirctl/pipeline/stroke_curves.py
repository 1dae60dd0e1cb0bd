"""`curves --strokes`: how soon drawings find their targets while they are drawn."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.core.files import atomic_open, display_path, write_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.pictures import beside, titles_of
from sbirctl.pipeline.run_model import embed_sketches, open_run
from sbirctl.splits.spellings import key

if TYPE_CHECKING:
    from PIL import Image

    from sbirctl.datasets.readers.stroke_files import StrokeDrawing
    from sbirctl.report.stroke_curves import StrokeCurves, StrokeMeasure
    from sbirctl.retrieval.embeddings import Embeddings
    from sbirctl.retrieval.target_ranks import Target

LEVEL = 0.95
SCHEMA = 1
_EXAMPLE = 112  # pixels
_SEVERAL = -1

Chosen = tuple["StrokeDrawing", int]
"""A drawing, and the row of the gallery that it looks for or one of its class."""


def stroke_curves(
    run: Path | None,
    strokes: Path,
    output: Path | None = None,
    *,
    target: str = "class",
    per_class: int = 20,
    dataset: str = "",
    split: str = "",
    leaks: str = "refuse",
    device: str = "auto",
    seed: int = 0,
    columns: Literal[1, 2] = 2,
    report: Reporter = SILENT,
) -> Path:
    """Draw each drawing to 10, 20, … 100 % of its lines, rank the run's test gallery for it.

    Args:
        run: its folder, name or checkpoint; None for the newest.
        strokes: a file or folder of drawings (`datasets.readers.stroke_files`).
        output: .png, .svg or .pdf; None for `strokes.png` beside the embeddings.
        target: "class": the first photo of the drawing's class; "own": the photo it was drawn
            from, whose name is the drawing's without the last `-N` or `_N`.
        per_class: drawings of a class (of "own": of a photo) at most, in the order of the files.
        dataset, split, leaks, device: as for `embed`.
        seed: of the bootstrap.

    Returns:
        The picture; beside it lie the curves (.csv) and areas, ranks and what was left out (.json).

    Raises:
        UsageError: no such target, or a wrong ending.
        MissingError: no such run, no strokes.
        MismatchError: no drawing has a target in the gallery.
    """
    from sbirctl.datasets.readers.stroke_files import StrokeFiles
    from sbirctl.report import stroke_curves as values
    from sbirctl.report import style
    from sbirctl.report.stroke_curves_figure import draw_strokes

    if target not in ("class", "own"):
        raise UsageError(f"There is no target {target!r}.", "Take class or own.")
    if output is not None:
        style.check_suffix(output)
    kind: Target = "own" if target == "own" else "class"
    files = StrokeFiles(strokes)
    path, e, encoder = open_run(
        run, dataset=dataset, split=split, leaks=leaks, device=device, report=report
    )
    chosen = _of_several(_chosen(files, e, kind, per_class, files.left_out), e, files.left_out)
    for reason, count in sorted(files.left_out.items()):
        report.warn(f"{display_path(strokes)}: {count:,} {reason}: left out.")
    if not chosen:
        raise MismatchError(
            f"No drawing of {display_path(strokes)} has a target among {len(e.gallery)} photos.",
            _ADVICE[kind],
        )
    size = encoder.sizes["sketch"]
    ranks = np.empty((len(chosen), len(values.SHARES)), dtype=np.int64)
    with report.bar("drawing", len(values.SHARES)) as advance:
        for step, share in enumerate(values.SHARES):
            pixels = np.stack([_pixels(one, share, size) for one, _ in chosen])
            ranks[:, step] = _ranks(e, embed_sketches(encoder, pixels), chosen, kind)
            advance()
    photos, relevant = _sizes(e, np.array([row for _, row in chosen]), kind)
    found = values.stroke_curves(ranks, photos, relevant, level=LEVEL, seed=seed)
    example = [_picture(chosen[0][0], share, _EXAMPLE) for share in values.SHARES]
    picture = output or beside(path, "strokes.png")
    words = "the first of the class" if kind == "class" else "the own photo"
    about = f"{titles_of([path])[0]}: {found.drawings:,} drawings, {len(e.gallery):,} photos"
    figure = draw_strokes(found, about, words, example, level=LEVEL, columns=columns)
    style.save(figure, picture, report)
    _write(picture, found, chosen, ranks, kind, files.left_out, e)
    report.note(
        f"{found.drawings:,} drawings against {len(e.gallery):,} photos: area under the rank "
        f"percentile {found.percentile.area:.4f} (chance {found.percentile.chance:.4f}), under "
        f"1 / rank {found.reciprocal.area:.4f} (chance {found.reciprocal.chance:.4f})."
    )
    return picture


_ADVICE = {
    "class": "Classes are the words of Quick, Draw! and the folders of SVG files.",
    "own": "Drawings are named as their photos with -N or _N; or take --target class.",
}


def _chosen(
    drawings: Iterable[StrokeDrawing], e: Embeddings, kind: Target, most: int, left: Counter[str]
) -> list[Chosen]:
    """The drawings that have a target, and what is left out and why."""
    known = _own_photos(e) if kind == "own" else _classes(e)
    found: list[Chosen] = []
    taken: dict[int, int] = defaultdict(int)
    for one in drawings:
        row = known.get(_source(one.name) if kind == "own" else key(one.class_name))
        what = "photo" if kind == "own" else "class"
        if row is None:
            left[f"drawings whose {what} is not in the gallery"] += 1
        elif row == _SEVERAL:
            left["drawings whose name several photos have"] += 1
        elif taken[row] >= most:
            left[f"drawings beyond {most:,} of a {what}"] += 1
        else:
            taken[row] += 1
            found.append((one, row))
    return found


def _of_several(chosen: Sequence[Chosen], e: Embeddings, left: Counter[str]) -> list[Chosen]:
    """The drawings for which more than one photo is ranked."""
    ranked = _sizes(e, np.array([row for _, row in chosen], dtype=np.int64), "class")[0]
    found = [one for one, photos in zip(chosen, ranked, strict=True) if photos > 1]
    if len(found) < len(chosen):
        left["drawings for which a single photo is ranked"] += len(chosen) - len(found)
    return found


def _classes(e: Embeddings) -> dict[str, int]:
    """A row of the gallery by its class."""
    label, row = np.unique(e.gallery_label, return_index=True)
    return {key(e.classes[code]): int(at) for code, at in zip(label, row, strict=True)}


def _own_photos(e: Embeddings) -> dict[str, int]:
    """Rows of the gallery by the stem of the photo's file, `_SEVERAL` where several have it."""
    if e.gallery_path is None:
        raise MismatchError("The embeddings name no photos.", "Embed with `sbirctl embed`.")
    stems = [Path(display_path(bytes(path))).stem for path in e.gallery_path]
    counts = Counter(stems)
    return {stem: row if counts[stem] == 1 else _SEVERAL for row, stem in enumerate(stems)}


def _source(name: str) -> str:
    from sbirctl.datasets.readers.naming import before_number

    return before_number(name)


def _picture(one: StrokeDrawing, share: float, side: int) -> Image.Image:
    from sbirctl.drawings.strokes import CANVAS, LINE_WIDTH, Pen, begun, render

    pen = Pen(LINE_WIDTH * side / CANVAS, side)
    return render(begun(one.strokes, share), pen, one.sheet, whole=one.strokes)


def _pixels(one: StrokeDrawing, share: float, size: int) -> np.ndarray:
    """(size, size, 1) uint8, as a store of that size keeps the drawing at this moment."""
    from sbirctl.drawings.strokes import CANVAS
    from sbirctl.store.images import to_pixels

    return to_pixels(_picture(one, share, CANVAS), "sketch", size)


def _ranks(
    e: Embeddings, vectors: np.ndarray, chosen: Sequence[Chosen], kind: Target
) -> np.ndarray:
    from sbirctl.retrieval.target_ranks import target_ranks

    rows = np.array([row for _, row in chosen])
    own = kind == "own"
    asked = replace(
        e,
        query=vectors,
        query_label=e.gallery_label[rows],
        query_group=None if e.gallery_group is None else e.gallery_group[rows],
        query_path=None,
        query_digest=None,
        query_instance=rows if own else None,
        gallery_instance=np.arange(len(e.gallery)) if own else None,
    )
    return target_ranks(asked, kind)


def _sizes(e: Embeddings, rows: np.ndarray, kind: Target) -> tuple[np.ndarray, np.ndarray]:
    """(n,) photos that are ranked for each target, and how many of them would do."""
    label = np.bincount(e.gallery_label)[e.gallery_label[rows]]
    relevant = np.ones_like(label) if kind == "own" else label
    if e.scope == "all":
        return np.full(len(rows), len(e.gallery)), relevant
    group = e.gallery_label if e.gallery_group is None else e.gallery_group
    return np.bincount(group)[group[rows]], relevant


def _write(
    picture: Path,
    found: StrokeCurves,
    chosen: Sequence[Chosen],
    ranks: np.ndarray,
    kind: Target,
    left: Counter[str],
    e: Embeddings,
) -> None:
    percentile, reciprocal = found.percentile.curve, found.reciprocal.curve
    with atomic_open(picture.with_suffix(".csv"), "w") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("share", "median rank", *_columns("rank percentile"), *_columns("1/rank")))
        for i, share in enumerate(percentile.x):
            curves = [c[i] for x in (percentile, reciprocal) for c in (x.y, x.low, x.high)]
            median = f"{found.median[i]:g}"
            table.writerow((f"{share:g}", median, *(f"{value:.6f}" for value in curves)))
    classes = [e.classes[e.gallery_label[row]] for _, row in chosen]
    drawings = [
        {"name": one.name, "class": name, "ranks": row.tolist()}
        for (one, _), name, row in zip(chosen, classes, ranks, strict=True)
    ]
    facts = {
        "schema": SCHEMA,
        "target": kind,
        "photos": len(e.gallery),
        "area": {
            "rank percentile": _area(found.percentile),
            "1/rank": _area(found.reciprocal),
        },
        "level": LEVEL,
        "left_out": dict(left),
        "model": e.model,
        "checkpoint": e.checkpoint,
        "provenance": e.provenance.to_json(),
        "drawings": drawings,
    }
    write_json(picture.with_suffix(".json"), facts)


def _columns(name: str) -> tuple[str, str, str]:
    return name, f"{name} low", f"{name} high"


def _area(measure: StrokeMeasure) -> dict[str, float]:
    ends = {"low": measure.low, "high": measure.high}
    return {"value": measure.area, **ends, "chance": measure.chance}
