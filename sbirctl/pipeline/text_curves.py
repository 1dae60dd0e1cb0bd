"""`curves --captions`: what words add to a sketch, over their weight."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from sbirctl.core.errors import CorruptError, MissingError, UsageError
from sbirctl.core.files import atomic_open, display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.galleries.combining import combine
from sbirctl.inference.onnx import export_named
from sbirctl.pipeline.pictures import beside, titles_of
from sbirctl.pipeline.run_model import measured, open_run, some_queries
from sbirctl.retrieval.normalisation import normalise_rows
from sbirctl.store.captions import read_captions

if TYPE_CHECKING:
    from sbirctl.inference.encoder import Encoder
    from sbirctl.report.text_curves_figure import TextCurve
    from sbirctl.retrieval.embeddings import Embeddings

LEVEL = 0.95
WEIGHTS = tuple(step / 10 for step in range(11))
_OF_INSTANCES = ("acc@1", "acc@10")
_OF_CLASSES = ("map@all", "prec@10")
_BATCH = 64


def text_curves(
    run: Path | None,
    output: Path | None = None,
    *,
    dataset: str = "",
    task: str = "",
    split: str = "",
    leaks: str = "refuse",
    device: str = "auto",
    columns: Literal[1, 2] = 2,
    report: Reporter = SILENT,
) -> Path:
    """Ask each sketch together with its caption, the words with weights from 0 to 1.

    A query is the weighted sum of both unit vectors, made a unit vector, as `search --text` makes
    it: sketch 1 - w, words w.

    Args:
        run: its folder, name or checkpoint, None for the newest; or an exported model's folder.
        output: .png, .svg or .pdf; None for `text.png` beside the embeddings.
        dataset, split, leaks, device: as for `embed`.
        task: for an exported model.

    Returns:
        The picture; beside it lie the values (.csv).

    Raises:
        UsageError: the model reads no words, or a wrong ending.
        MissingError: no such run, or the data set has no captions.
        CorruptError: the model gives no numbers for some.
    """
    from sbirctl.report import style
    from sbirctl.report.sheet_thumbnails import store_of
    from sbirctl.report.text_curves_figure import draw_text

    if output is not None:
        style.check_suffix(output)
    path, e, encoder = _opened(run, dataset, task, split, leaks, device, report)
    if not encoder.has_text:
        raise UsageError(
            f"{e.model or 'This model'} reads no words.", "Take a model with a text tower: clip."
        )
    store = store_of(e, path)
    captions = read_captions(store.folder)
    if not captions:
        raise MissingError(
            f"{store.name} has no captions.", "fscoco and scenes have some: `sbirctl prepare`."
        )
    items = store.items
    said = {items.path[i]: captions.get(items.id[i], "") for i in items.where("sketch")}
    texts = [said.get(bytes(p), "") for p in (e.query_path if e.query_path is not None else ())]
    rows = np.flatnonzero([bool(text) for text in texts])
    if not len(rows):
        raise MissingError(f"No query of {store.name} has a caption.", "Prepare it with text/.")
    if len(rows) < len(e.query):
        report.warn(f"{len(e.query) - len(rows):,} queries without a caption are left out.")
    asked = some_queries(e, rows)
    words = _embedded(encoder, [texts[row] for row in rows], report)
    found = _sweep(asked, words, report)
    picture = output or beside(path, "text.png")
    about = f"{titles_of([path])[0]}: {len(rows):,} sketches with words, {len(e.gallery):,} photos"
    style.save(draw_text(found, about, level=LEVEL, columns=columns), picture, report)
    with atomic_open(picture.with_suffix(".csv"), "w") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("metric", "weight", "value", "low", "high", "chance"))
        for curve in found:
            for at in zip(curve.weights, curve.values, curve.low, curve.high, strict=True):
                table.writerow((curve.metric, *(f"{x:.6g}" for x in (*at, curve.chance))))
    for curve in found:
        best = curve.best
        report.note(
            f"{curve.metric}: sketch alone {curve.values[0]:.4f}, words alone "
            f"{curve.values[-1]:.4f}, best {curve.values[best]:.4f} at {curve.weights[best]:g} "
            f"(chance {curve.chance:.4f}; the weight was chosen on these queries)."
        )
    return picture


def _opened(
    run: Path | None,
    dataset: str,
    task: str,
    split: str,
    leaks: str,
    device: str,
    report: Reporter,
) -> tuple[Path, Embeddings, Encoder]:
    exported = None if run is None else export_named(str(run))
    if exported is None:
        if task:
            raise UsageError("A run has its own task.", "Leave out --task.")
        return open_run(
            run, dataset=dataset, split=split, leaks=leaks, device=device, report=report
        )
    from sbirctl.inference.onnx import OnnxEncoder
    from sbirctl.pipeline.embed import embed
    from sbirctl.pipeline.evaluate import read_embeddings

    path = embed(exported, dataset=dataset, task=task, split=split, report=report)
    return path, read_embeddings(path, report), OnnxEncoder(exported)


def _embedded(encoder: Encoder, texts: list[str], report: Reporter) -> np.ndarray:
    """(n, dim) float32 unit vectors; a caption that comes again is embedded once."""
    different = sorted(set(texts))
    vectors = []
    with report.bar("reading captions", len(different)) as advance:
        for start in range(0, len(different), _BATCH):
            vectors.append(encoder.embed_text(different[start : start + _BATCH]))
            advance(len(vectors[-1]))
    place = {text: row for row, text in enumerate(different)}
    found: np.ndarray = np.concatenate(vectors)[[place[text] for text in texts]]
    bad = ~np.isfinite(found).all(axis=1)
    if bad.any():
        raise CorruptError(
            f"The model gives NaN or infinite values for {int(bad.sum()):,} captions, as for "
            f"{display_path(texts[int(bad.argmax())][:40])!r}.",
            "Take another run or weights.",
        )
    return found


def _sweep(e: Embeddings, words: np.ndarray, report: Reporter) -> list[TextCurve]:
    from sbirctl.report.text_curves_figure import TextCurve

    sketches = normalise_rows(e.query)
    metrics = _OF_INSTANCES if e.query_instance is not None else _OF_CLASSES
    points: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in metrics}
    with report.bar("weights", len(WEIGHTS)) as advance:
        for weight in WEIGHTS:
            own = {"sketch": 1 - weight, "text": weight}
            vectors = [
                combine([("sketch", sketch), ("text", text)], own)
                for sketch, text in zip(sketches, words, strict=True)
            ]
            asked = replace(e, query=np.stack(vectors))
            for name in metrics:
                points[name].append(measured(asked, name))
            advance()
    curves = []
    for name, column in points.items():
        values, low, high, chance = zip(*column, strict=True)
        curves.append(TextCurve(name, WEIGHTS, values, low, high, chance[0]))
    return curves
