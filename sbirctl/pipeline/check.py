"""Run the contracts' checks on whatever has a name, installed or in a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbirctl.checks import CheckOutcome, run_checks
from sbirctl.core.config import parse_assignments
from sbirctl.core.errors import UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter

Inputs = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Checked:
    """What the checks of one thing found.

    Attributes:
        kind: "model", "data set", "metric", "definition", "engine" or "loss".
        name: of it.
        outcomes: of its checks.
    """

    kind: str
    name: str
    outcomes: tuple[CheckOutcome, ...]

    @property
    def problems(self) -> int:
        """How many checks found something wrong."""
        return sum(bool(one.problem) for one in self.outcomes)


@dataclass(frozen=True)
class _Options:
    inputs: Inputs
    settings: Mapping[str, Any]


def check(
    what: str,
    *,
    inputs: Inputs | None = None,
    assignments: Sequence[str] = (),
    report: Reporter = SILENT,
) -> list[Checked]:
    """The outcomes for everything that is meant.

    Args:
        what: a name (an engine's kind or address, too), or a plug-in file: all it brings.
        inputs: files of a data set, by role.
        assignments: settings of a model, on top of its `check_settings`.

    Raises:
        UsageError: nothing has that name, or the file brings nothing.
        MissingError: there is no such file.
        SbirctlError: the file cannot be loaded.
    """
    options = _Options(inputs or {}, parse_assignments(assignments))
    meant = _of_file(Path(what)) if what.endswith((".py", ".toml")) else _named(what)
    found = []
    for kind, name in meant:
        report.note(f"checking the {kind} {name}")
        found.append(Checked(kind, name, tuple(_RUN[kind](name, options))))
    return found


def _named(name: str) -> list[tuple[str, str]]:
    from sbirctl.datasets import DATASETS
    from sbirctl.galleries.engines import ENGINES
    from sbirctl.losses import LOSSES
    from sbirctl.models import MODELS
    from sbirctl.retrieval.definitions import all_definitions
    from sbirctl.retrieval.metrics import all_measures

    engine = name.partition(":")[0].removesuffix("+https")
    places = {
        "model": MODELS.names(),
        "data set": DATASETS.names(),
        "metric": tuple(all_measures()),
        "definition": tuple(all_definitions()),
        "engine": ENGINES.names(),
        "loss": LOSSES.names(),
    }
    meant = [
        (kind, name)
        for kind, names in places.items()
        if (engine if kind == "engine" else name) in names
    ]
    if not meant:
        known = sorted({one for names in places.values() for one in names})
        raise UsageError(
            f"There is no model, data set, metric, definition, engine or loss {name!r}.",
            nearest(name, known),
        )
    return meant


def _of_file(path: Path) -> list[tuple[str, str]]:
    """What a file registers."""
    from sbirctl.pipeline.plugins import load_plugin

    load_plugin(path)
    if path.suffix == ".toml":
        return [("definition", path.stem)]
    from sbirctl.core.plugins import load_file

    module = load_file(path).__name__
    meant = []
    # A kind whose registry was never imported has nothing of the file.
    for kind, place, registry in (
        ("model", "sbirctl.models._registry", "MODELS"),
        ("data set", "sbirctl.datasets._registry", "DATASETS"),
        ("engine", "sbirctl.galleries.engines", "ENGINES"),
        ("loss", "sbirctl.losses._registry", "LOSSES"),
    ):
        if place in sys.modules:
            things = getattr(sys.modules[place], registry).loaded()
            meant += [(kind, name) for name, one in things.items() if one.__module__ == module]
    from sbirctl.retrieval.metrics import MEASURES

    meant += [
        ("metric", one.kind)
        for one in MEASURES.values()
        if getattr(one.value, "__module__", "") == module
    ]
    if not meant:
        raise UsageError(
            f"{display_path(path)} registers nothing that can be checked.",
            "Put a decorator before what it brings, see docs/plugins.md.",
        )
    return meant


def _model(name: str, options: _Options) -> list[CheckOutcome]:
    from sbirctl.checks.models import CHECKS, ModelSubject

    return run_checks(CHECKS, ModelSubject(name, options.settings))


def _dataset(name: str, options: _Options) -> list[CheckOutcome]:
    from sbirctl.checks.datasets import CHECKS, DatasetSubject

    return run_checks(CHECKS, DatasetSubject(name, options.inputs))


def _metric(name: str, _: _Options) -> list[CheckOutcome]:
    from sbirctl.checks.metrics import CHECKS, MetricSubject
    from sbirctl.retrieval.metrics import MEASURES

    return run_checks(CHECKS, MetricSubject(MEASURES[name]))


def _definition(name: str, _: _Options) -> list[CheckOutcome]:
    from sbirctl.checks.definitions import CHECKS
    from sbirctl.retrieval.definitions import get

    return run_checks(CHECKS, get(name))


def _engine(name: str, _: _Options) -> list[CheckOutcome]:
    from sbirctl.checks.engines import CHECKS, EngineSubject

    return run_checks(CHECKS, EngineSubject(name))


def _loss(name: str, _: _Options) -> list[CheckOutcome]:
    from sbirctl.checks.losses import CHECKS, LossSubject

    return run_checks(CHECKS, LossSubject(name))


_RUN: dict[str, Callable[[str, _Options], list[CheckOutcome]]] = {
    "model": _model,
    "data set": _dataset,
    "metric": _metric,
    "definition": _definition,
    "engine": _engine,
    "loss": _loss,
}
