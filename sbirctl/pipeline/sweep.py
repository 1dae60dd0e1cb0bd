"""Train one run for every value of a setting, and put what came of them into one table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sbirctl.core.config import read_layers
from sbirctl.core.errors import UsageError
from sbirctl.core.home import read_result
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.evaluate import evaluate
from sbirctl.pipeline.scores import EvaluateRequest
from sbirctl.pipeline.train import epochs_layer, train
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.definitions import get as get_definition

COLUMNS = (
    "validation map@all",
    "unseen map@all",
    "epochs",
    "minutes",
    "images/s",
    "parameters",
    "run",
)


def parse_sweep(text: str) -> tuple[str, tuple[str, ...]]:
    """`lambda=0.5,0.8` as key and values; with a semicolon in it, that parts the values.

    So `terms=norm;norm,cls` has the two values `norm` and `norm,cls`.

    Raises:
        UsageError: no key or no value.
    """
    key, _, values = text.partition("=")
    found = tuple(v.strip() for v in values.split(";" if ";" in values else ",") if v.strip())
    if not key.strip() or not found:
        raise UsageError(f"{text!r} is no sweep.", "Write it as key=value,value,….")
    return key.strip(), found


def sweep(
    model: str,
    sweeps: Sequence[str],
    *,
    assignments: Sequence[str] = (),
    metrics: Sequence[str] = (),
    definition: Definition | None = None,
    report: Reporter = SILENT,
    **options: Any,
) -> list[dict[str, object]]:
    """One run a combination of values; finished ones are found, a stopped one goes on.

    Args:
        model: as for `train`.
        sweeps: `key=value,value,…`; of several, every combination is trained.
        assignments: settings all runs share.
        metrics: measured on the test subset of every run, in this order.
        definition: of the metrics, None for the standard one.
        options: of `train`.

    Returns:
        One row a run: the swept settings, the metrics, then `COLUMNS`. "epochs" are those up to
        the chosen checkpoint; the unseen figure is there where it was monitored.

    Raises:
        UsageError: a value or metric that does not hold, before anything is trained; else as
            `train`.
    """
    metrics = [str(measures.parse(name)) for name in metrics]
    parsed = [parse_sweep(text) for text in sweeps]
    keys = [key for key, _ in parsed]
    if len(set(keys)) < len(keys):
        raise UsageError(
            f"One setting is swept twice: {', '.join(keys)}.", "Put its values into one --sweep."
        )
    chosen = list(itertools.product(*(values for _, values in parsed)))
    texts = [[f"{k}={v}" for k, v in zip(keys, values, strict=True)] for values in chosen]
    for own in texts:
        _check(model, [*assignments, *own], options)
    rows: list[dict[str, object]] = []
    for values, own in zip(chosen, texts, strict=True):
        report.note(f"run {len(rows) + 1} of {len(chosen)}: {' '.join(own)}")
        folder = train(model, assignments=[*assignments, *own], report=report, **options)
        tested = _tested(folder, metrics, definition, options, report)
        rows.append({**dict(zip(keys, values, strict=True)), **tested, **_figures(folder)})
    return rows


def _tested(
    folder: Path,
    metrics: Sequence[str],
    definition: Definition | None,
    options: Mapping[str, Any],
    report: Reporter,
) -> dict[str, float | None]:
    """{metric: figure} of a run on its test subset."""
    if not metrics:
        return {}
    machine = {key: options[key] for key in ("device", "workers") if key in options}
    path = embed(folder, report=report, **machine)
    request = EvaluateRequest(metrics, definition or get_definition("standard"))
    figures: dict[str, float | None] = evaluate(path, request, report)["metrics"]
    return figures


def _check(model: str, assignments: Sequence[str], options: Mapping[str, Any]) -> None:
    from sbirctl.training.config import Flags, training_config

    layers = read_layers(options.get("config"), assignments, epochs_layer(options.get("epochs")))
    flags = {key: value for key, value in options.items() if key in Flags.__annotations__}
    training_config(model, layers, **cast("Flags", flags))


def _figures(folder: Path) -> dict[str, object]:
    result = read_result(folder)
    epochs = sum(result["chosen_epochs"].values())
    history: list[Mapping[str, Any]] = [
        entry for phase in result["phases"].values() for entry in phase["history"]
    ]
    kept = [entry for entry in history if entry["epoch"] == epochs] or history
    validation = [e["val_map@all"] for e in history if e.get("val_map@all") is not None]
    unseen = [e["unseen_map@all"] for e in kept if e.get("unseen_map@all") is not None]
    values = (
        max(validation, default=None),
        unseen[-1] if unseen else None,
        epochs,
        result["minutes"],
        result["images_per_second"],
        result["parameters"]["all"],
        folder.name,
    )
    return dict(zip(COLUMNS, values, strict=True))
