"""`robustness`: what a run's figure becomes when its sketches are drawn otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sbirctl.core.files import write_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.seeds import rng_for
from sbirctl.pipeline.pictures import beside, marked, titles_of
from sbirctl.pipeline.run_model import embed_sketches, measured, open_run, some_queries

if TYPE_CHECKING:
    from sbirctl.inference.encoder import Encoder
    from sbirctl.report.robustness_figure import RobustnessCard, Trial
    from sbirctl.retrieval.embeddings import Embeddings

SCHEMA = 1
LEVEL = 0.95


def robustness(
    run: Path | None = None,
    output: Path | None = None,
    *,
    metric: str = "map@all",
    queries: int = 500,
    seed: int = 0,
    dataset: str = "",
    split: str = "",
    leaks: str = "refuse",
    device: str = "auto",
    report: Reporter = SILENT,
) -> Path:
    """Change the query sketches in six ways, at several strengths, and measure each time.

    Args:
        run: its folder, name or checkpoint; None for the newest.
        output: .png, .svg or .pdf; None for `robustness.png` beside the embeddings.
        metric: under the definition `standard`.
        queries: how many are drawn at random where there are more.
        seed: of which queries, and of all chance in the changes.
        dataset, split, leaks, device: as for `embed`.

    Returns:
        The picture; beside it lies the same as .json.

    Raises:
        UsageError: no such metric, or a wrong ending.
        MissingError: no such run or data set.
        MismatchError: no query has a relevant photo.
    """
    from sbirctl.report import style
    from sbirctl.report.sheet_thumbnails import pixel_rows, store_of
    from sbirctl.retrieval.metrics import parse

    name = str(parse(metric))
    if output is not None:
        style.check_suffix(output)
    path, e, encoder = open_run(
        run, dataset=dataset, split=split, leaks=leaks, device=device, report=report
    )
    store = store_of(e, path)
    asked = _drawn(e, queries, seed)
    if len(asked.query) < len(e.query):
        report.note(f"{len(asked.query):,} of {len(e.query):,} queries, drawn with seed {seed}.")
    rows = pixel_rows(store, "sketch", asked.query_path, asked.query_digest)
    card = _measure(asked, encoder, store.read("sketch", rows), name, seed, report)
    from sbirctl.report.robustness_figure import draw_card

    picture = output or beside(path, "robustness.png")
    style.save(draw_card(card, marked(titles_of([path])[0], e), level=LEVEL), picture, report)
    write_json(picture.with_suffix(".json"), _facts(card, e, seed))
    return picture


def _drawn(e: Embeddings, queries: int, seed: int) -> Embeddings:
    """The embeddings with some of their queries, in the order of the file."""
    size = len(e.query)
    if queries >= size:
        return e
    rows = np.sort(rng_for("robustness queries", seed).choice(size, queries, replace=False))
    return some_queries(e, rows)


def _measure(
    e: Embeddings,
    encoder: Encoder,
    pixels: np.ndarray,
    metric: str,
    seed: int,
    report: Reporter,
) -> RobustnessCard:
    from sbirctl.drawings.distortions import DISTORTIONS, distort
    from sbirctl.report.robustness_figure import Panel, RobustnessCard

    plain, chance = _figure(e, embed_sketches(encoder, pixels), metric)
    panels = []
    with report.bar("distortions", sum(len(d.strengths) for d in DISTORTIONS)) as advance:
        for one in DISTORTIONS:
            trials, examples = [], []
            for strength in one.strengths:
                rng = rng_for("robustness", seed, one.name, str(strength))
                changed = distort(pixels, one.change, strength, rng)
                examples.append(changed[0, ..., 0])
                trial, _ = _figure(e, embed_sketches(encoder, changed), metric)
                trials.append(replace(trial, strength=strength))
                advance()
            panels.append(Panel(one.name, one.unit, tuple(trials), tuple(examples)))
    sizes = len(e.query), len(e.gallery)
    return RobustnessCard(metric, plain, chance, pixels[0, ..., 0], tuple(panels), *sizes)


def _figure(e: Embeddings, vectors: np.ndarray, metric: str) -> tuple[Trial, float]:
    """A figure with its interval, and what chance scores."""
    from sbirctl.report.robustness_figure import Trial

    value, low, high, chance = measured(replace(e, query=vectors), metric)
    return Trial(0.0, value, low, high), chance


def _facts(card: RobustnessCard, e: Embeddings, seed: int) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "metric": card.metric,
        "definition": "standard",
        "as drawn": _trial(card.plain),
        "chance": card.chance,
        "distortions": [
            {
                "name": panel.name,
                "unit": panel.unit,
                "trials": [{"strength": t.strength, **_trial(t)} for t in panel.trials],
            }
            for panel in card.panels
        ],
        "level": LEVEL,
        "queries": card.queries,
        "photos": card.photos,
        "seed": seed,
        "model": e.model,
        "checkpoint": e.checkpoint,
        "provenance": e.provenance.to_json(),
    }


def _trial(trial: Trial) -> dict[str, float]:
    return {"value": trial.value, "low": trial.low, "high": trial.high}
