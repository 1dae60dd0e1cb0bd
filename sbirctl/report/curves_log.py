"""Training curves from a run's log: loss terms, validation, and unseen classes where logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.files import display_path

LOG = "log.jsonl"
_NOT_TERMS = ("event", "step", "phase", "stage", "epoch", "lr")
_LAST = ("norm", "total")  # what is drawn after the terms


@dataclass(frozen=True)
class Series:
    """A figure that was logged again and again.

    Attributes:
        kind: "loss" (x is the step), "validation" or "unseen" (x is the epoch).
        name: the loss term or the metric.
        phase: of training: "train" or "refit".
        x, y: (n,) float64; y is NaN where the figure was not finite.
    """

    kind: str
    name: str
    phase: str
    x: np.ndarray
    y: np.ndarray


def read_log(path: Path) -> list[Series]:
    """The curves of a log, in the order in which they are drawn.

    Epochs are counted through the stages of a phase. A last line that was cut off by a kill is
    passed over.

    Raises:
        MissingError: there is no such file, or nothing is logged in it yet.
        CorruptError: a line is damaged.
    """
    points: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    epochs: dict[str, int] = {}
    for line in _lines(path):
        event, phase = line.get("event"), str(line.get("phase", "train"))
        if event == "step":
            for name, value in line.items():
                if name not in _NOT_TERMS and isinstance(value, int | float | None):
                    key = ("loss", name, phase)
                    points.setdefault(key, []).append((line["step"], _number(value)))
        elif event == "epoch":
            epochs[phase] = epochs.get(phase, 0) + 1
            for name, value in line.items():
                for prefix, kind in (("val_", "validation"), ("unseen_", "unseen")):
                    if name.startswith(prefix):
                        key = (kind, name.removeprefix(prefix), phase)
                        points.setdefault(key, []).append((epochs[phase], _number(value)))
    if not points:
        raise MissingError(f"{display_path(path)} holds no figures yet.", "Train a little longer.")
    made = [Series(*key, *np.array(pairs, float).T) for key, pairs in points.items()]
    return sorted(made, key=_order_in_panel)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        texts = path.read_bytes().split(b"\n")
    except FileNotFoundError as error:
        raise MissingError(
            f"There is no training log {display_path(path)}.", "Name the folder of a run."
        ) from error
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            if not isinstance(line, dict) or not isinstance(line.get("step"), int):
                raise ValueError("no event with a step")
        except (ValueError, RecursionError) as error:
            if number == len(texts):  # no newline behind it: it was being written
                return
            raise CorruptError(
                f"{display_path(path)} line {number} is damaged: {error}.", "Train the run anew."
            ) from error
        yield line


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _order_in_panel(series: Series) -> tuple[bool, int]:
    last = _LAST.index(series.name) + 1 if series.name in _LAST else 0
    return series.kind != "loss", last
