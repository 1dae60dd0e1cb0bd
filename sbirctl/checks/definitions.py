"""What every definition keeps to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sbirctl.checks import require
from sbirctl.core.errors import SbirctlError
from sbirctl.retrieval.definitions import Definition, get
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.metrics import explain, parse

_METRICS = ("map@all", "map@5", "prec@5", "recall@5")


def is_found(subject: Definition) -> None:
    """It is found by its name, and its parts are choices there are."""
    require(get(subject.name) == subject, "another definition has its name")
    get("standard", [f"{part}={choice}" for part, choice in subject.choices().items()])


def says_whose_it_is(subject: Definition) -> None:
    """It says whose it is."""
    require(subject.source, "it has no source")


def measures(subject: Definition) -> None:
    """Figures of a random ranking lie between 0 and 1, and are explained."""
    rng = np.random.default_rng(0)
    label = np.arange(40) % 4
    vectors = rng.standard_normal((80, 8)).astype(np.float32)
    e = Embeddings.from_arrays(vectors[:40], vectors[40:], label, label)
    parsed = [parse(name) for name in _METRICS]
    try:
        (result,) = evaluate(e, parsed, [subject])
    except SbirctlError as error:
        require(False, f"it cannot be computed: {error.message}")
    for metric in parsed:
        value = result.mean(str(metric))
        require(value is None or 0 <= value <= 1, f"{metric} is {value}")
        require(explain(metric, subject), f"{metric} is not explained")


CHECKS: tuple[Callable[[Definition], None], ...] = (is_found, says_whose_it_is, measures)
