"""Figures of embeddings: `evaluate`, `audit` and `compare` on arrays, files and runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from sbirctl.api.reporting import PythonReporter
from sbirctl.api.tables import Cell, Table
from sbirctl.core.errors import UsageError
from sbirctl.retrieval import definitions
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, Result
from sbirctl.retrieval.statistics import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sbirctl.retrieval.comparison import Comparison

Source = str | PathLike[str] | Embeddings
"""An embeddings file (HDF5, NPZ), a run's name or folder, or embeddings that are at hand."""


class Scores(Table, Mapping[str, float]):
    """Figures by metric: `scores["map@all"]` is a float, NaN where the definition has no mean.

    Names are read as on the command line: `scores["p@100"]` is `scores["prec@100"]`.

    Attributes:
        facts: what `sbirctl evaluate --json` prints.
    """

    def __init__(self, facts: dict[str, Any], result: Result) -> None:
        self.facts = facts
        self._result = result

    def __getitem__(self, name: str) -> float:
        found: dict[str, float | None] = self.facts["metrics"]
        try:
            return _number(found[str(measures.parse(name))])
        except (KeyError, UsageError):
            raise KeyError(f"{name} was not measured; {', '.join(found)} were") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts["metrics"])

    def __len__(self) -> int:
        return len(self.facts["metrics"])

    @property
    def chance(self) -> Mapping[str, float]:
        """{metric: figure of a random order, NaN where there is none}."""
        return {name: _number(value) for name, value in self.facts["chance"].items()}

    @property
    def definition(self) -> str:
        """Name of the definition, with what was changed of it."""
        return str(self.facts["definition"]["name"])

    def interval(self, name: str) -> tuple[float, float] | None:
        """The 95 % interval of a metric, None where there is none.

        Raises:
            UsageError: `evaluate` was not asked for intervals.
        """
        if "intervals" not in self.facts:
            raise UsageError("There are no intervals.", 'Call evaluate(..., interval="auto").')
        found = self.facts["intervals"][str(measures.parse(name))]
        return None if found is None else (found[0], found[1])

    def per_query(self, name: str) -> np.ndarray:
        """(Q,) float64: the metric of each query, NaN where the definition leaves it out."""
        self[name]
        return self._result.values[str(measures.parse(name))].copy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Each figure as a bar, with its interval where there is one, and its level of chance.

        Args:
            ax: axes to draw on; a figure of its own where None.
        """
        ax = ax or _axes()
        ax.barh(list(self), list(self.values()), color="tab:blue")
        ax.plot(list(self.chance.values()), list(self), "k|", markersize=18, label="chance")
        for name in self:
            if "intervals" in self.facts and (found := self.interval(name)) is not None:
                ax.plot(found, [name, name], "k-", linewidth=1)
        ax.set_xlim(0, 1)
        ax.invert_yaxis()
        ax.legend()
        return ax

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Cell]]]:
        header = ["metric", "value", "chance"]
        rows: list[list[Cell]] = [[name, self[name], self.chance[name]] for name in self]
        if "intervals" in self.facts:
            header[2:2] = ["low", "high"]
            for row in rows:
                row[2:2] = self.interval(str(row[0])) or (None, None)
        for kind in ("unseen", "seen"):
            if kind in self.facts:
                header.append(kind)
                for row in rows:
                    row.append(self.facts[kind][row[0]])
        return header, rows


class AuditTable(Table, Mapping[str, dict[str, float]]):
    """One ranking under every definition: `table["sake"]["map@all"]`, NaN where it has no mean.

    Attributes:
        warnings: what to know before holding these figures against others.
        chance: {metric: figure of a random order under `standard`}.
    """

    def __init__(
        self,
        rows: dict[str, dict[str, float | None]],
        chance: dict[str, float | None],
        warnings: tuple[str, ...],
    ) -> None:
        self._rows = {name: _numbers(row) for name, row in rows.items()}
        self.chance, self.warnings = _numbers(chance), warnings

    def __getitem__(self, definition: str) -> dict[str, float]:
        return self._rows[definition]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Cell]]]:
        names = list(next(iter(self._rows.values())))
        rows = {**self._rows, "(chance)": self.chance}
        return ["definition", *names], [[d, *(row[n] for n in names)] for d, row in rows.items()]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Each metric's figure under each definition, one line a metric.

        Args:
            ax: axes to draw on; a figure of its own where None.
        """
        ax = ax or _axes()
        names = list(self)
        for metric in self[names[0]]:
            values = [self[name][metric] for name in names]
            ax.plot(values, names, "o", label=metric)
        ax.set_xlim(0, 1)
        ax.set_xlabel("figure of one ranking")
        ax.legend()
        return ax


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _numbers(row: Mapping[str, float | None]) -> dict[str, float]:
    return {name: _number(value) for name, value in row.items()}


class Differences(Table, Sequence["Comparison"]):
    """Two systems metric by metric; each item is a `retrieval.comparison.Comparison`."""

    def __init__(self, found: Sequence[Comparison]) -> None:
        self._found = tuple(found)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            name = str(measures.parse(index))
            return next(one for one in self._found if one.metric == name)
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Cell]]]:
        header = ("metric", "A", "B", "A - B", "low", "high", "p", "p Holm", "unit")
        rows = [
            (c.metric, c.a, c.b, c.difference, c.low, c.high, c.p, c.p_holm, c.unit)
            for c in self._found
        ]
        return header, rows

    def plot(self, ax: Axes | None = None) -> Axes:
        """The differences with their 95 % intervals.

        Args:
            ax: axes to draw on; a figure of its own where None.
        """
        ax = ax or _axes()
        middle = [c.difference for c in self._found]
        reach = [
            [c.difference - c.low for c in self._found],
            [c.high - c.difference for c in self._found],
        ]
        ax.errorbar(middle, [c.metric for c in self._found], xerr=reach, fmt="o", capsize=3)
        ax.axvline(0, color="grey", linewidth=1)
        ax.set_xlabel("A - B")
        return ax


def evaluate(
    query: str | PathLike[str] | Embeddings | ArrayLike | None = None,
    gallery: ArrayLike | None = None,
    query_label: ArrayLike | None = None,
    gallery_label: ArrayLike | None = None,
    *,
    metrics: Sequence[str] | str = (),
    definition: str | definitions.Definition = "standard",
    interval: Literal["", "auto", "class", "query"] = "",
    per_class: bool = False,
    binary: Literal["sign", "itq"] | None = None,
    bits: int = 64,
    memory: str = "auto",
    device: str = "cpu",
    **columns: Any,
) -> Scores:
    """Rank the gallery for every query, exactly, and measure.

    Args:
        query: (Q, D) vectors; or, without the three arguments after it, an embeddings file, a run
            or `Embeddings`.
        gallery: (N, D) vectors. Both are left out beside `scores` or `distances`, (Q, N) numbers
            of every pair from another program.
        query_label, gallery_label: (Q,), (N,) classes as numbers or names.
        metrics: such as "map@all", "map@200", "prec@100", "recall@10", "acc@1"; the default ones
            if empty.
        definition: whose definition, by name, or a `Definition` (`sbirctl.metrics.definition`).
        interval: also 95 % intervals, over classes, queries or what the task says.
        per_class: also the mean of every class, in `facts["per_class"]`.
        binary, bits: rank binary codes by Hamming distance.
        memory: most memory beyond the vectors, such as "2G".
        device: cpu, cuda, cuda:1 or mps.
        columns: other attributes of `Embeddings`, such as query_instance and gallery_instance.

    Raises:
        UsageError: an unknown name, or arrays that are not four.
        MismatchError, MissingError, CorruptError: the arrays or the file cannot be ranked.
    """
    from sbirctl.pipeline.evaluate import score
    from sbirctl.pipeline.scores import EvaluateRequest

    if isinstance(definition, str):
        changes = ["similarity=hamming"] if binary else []
        definition = definitions.get(definition, changes)
    request = EvaluateRequest(
        metrics=[metrics] if isinstance(metrics, str) else list(metrics),
        definition=definition,
        options=Options.typed(binary, bits, memory, device),
        interval=interval,
        per_class=per_class,
    )
    given = (query, gallery, query_label, gallery_label)
    facts, result = score(_embeddings(given, columns), request, PythonReporter())
    return Scores(dict(facts), result)


def audit(
    query: str | PathLike[str] | Embeddings | ArrayLike | None,
    gallery: ArrayLike | None = None,
    query_label: ArrayLike | None = None,
    gallery_label: ArrayLike | None = None,
    *,
    metrics: Sequence[str] = (),
    **columns: Any,
) -> AuditTable:
    """One ranking under every published definition, and what makes figures incomparable.

    Args:
        query, gallery, query_label, gallery_label, metrics, columns: as for `evaluate`.
    """
    from sbirctl.retrieval.audit import METRICS
    from sbirctl.retrieval.audit import audit as audit_embeddings

    given = (query, gallery, query_label, gallery_label)
    if isinstance(query, str | PathLike) and given[1:] == (None, None, None) and not columns:
        from sbirctl.pipeline.audit import audit as audit_file

        _, found = audit_file(Path(query), metrics, report=PythonReporter())
    else:
        found = audit_embeddings(_embeddings(given, columns), metrics or METRICS)
    return AuditTable(found.rows, found.chance, found.warnings)


def compare(
    a: Source | Sequence[Source],
    b: Source | Sequence[Source],
    *,
    metrics: Sequence[str] = (),
    definition: str | definitions.Definition = "standard",
    unit: Unit | None = None,
) -> Differences:
    """Whether one system is better than another on the same queries.

    Args:
        a, b: embeddings, files or runs; several of a side are seeds of one system.
        unit: of interval and test; None for the one of the task.

    Raises:
        MismatchError: the sides do not rank the same queries.
    """
    from sbirctl.pipeline.compare import compare_embeddings

    if isinstance(definition, str):
        definition = definitions.get(definition, [])
    ours, theirs = ([_read(one) for one in _several(side)] for side in (a, b))
    found = compare_embeddings(
        ours, theirs, metrics, definition, unit=unit, report=PythonReporter()
    )
    return Differences(found)


def _several(side: Source | Sequence[Source]) -> Sequence[Source]:
    return [side] if isinstance(side, str | PathLike | Embeddings) else side


def _read(source: Source) -> Embeddings:
    from sbirctl.pipeline.evaluate import find_embeddings, read_embeddings

    if isinstance(source, Embeddings):
        return source
    report = PythonReporter()
    return read_embeddings(find_embeddings(Path(source), report), report, vectors=False)


def _embeddings(given: tuple[Any, Any, Any, Any], columns: Mapping[str, Any]) -> Embeddings:
    query, *others = given
    if all(one is None for one in others) and isinstance(query, str | PathLike | Embeddings):
        if columns:
            raise UsageError(
                f"{next(iter(columns))} is for arrays; {query!r:.60} brings its own.",
                "Leave it out.",
            )
        return _read(query)
    needed = given[2:] if {"scores", "distances"} & columns.keys() else given
    if any(one is None for one in needed):
        raise UsageError(
            "Four arrays are needed: query, gallery, query_label and gallery_label.",
            "Or give one file, run or Embeddings.",
        )
    return Embeddings.from_arrays(*given, **columns)


def _axes() -> Axes:
    from matplotlib import pyplot

    axes: Axes = pyplot.subplots(layout="constrained")[1]
    return axes
