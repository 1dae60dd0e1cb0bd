"""What every metric keeps to, on random rankings under every definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sbirctl.checks import NotCheckedError, require
from sbirctl.report.comparability import differing_parts
from sbirctl.retrieval.definitions import Definition, all_definitions, get
from sbirctl.retrieval.metrics import Measure, Metric, explain, parse, per_query
from sbirctl.retrieval.ranks import Ranks

_CUTS = (1, 5, 50)
_GALLERY = 30


@dataclass(frozen=True)
class MetricSubject:
    """A registered metric."""

    measure: Measure

    def metrics(self) -> list[Metric]:
        """It with every cut-off that it takes.

        Raises:
            NotCheckedError: it asks for one photo, and there is no function to check.
        """
        if self.measure.value is None:
            raise NotCheckedError("it asks for the sketch's own photo")
        return self.measure.metrics(_CUTS)

    def cases(self) -> Iterator[tuple[Metric, Definition, Ranks]]:
        """Metrics, definitions and random rankings of 1, 3 and all photos."""
        for metric in self.metrics():
            for definition in all_definitions().values():
                for relevant in (1, 3, _GALLERY):
                    yield metric, definition, random_ranks(relevant)


def random_ranks(relevant: int, queries: int = 12) -> Ranks:
    """Rankings of `relevant` photos among 30, some with equal scores and scores <= 0."""
    rng = np.random.default_rng(relevant)
    order = rng.permuted(np.tile(np.arange(_GALLERY), (queries, 1)), axis=1)
    rank = np.sort(order[:, :relevant], axis=1).astype(np.int32) + 1
    upto = np.minimum(-(-rank // 3) * 3, _GALLERY).astype(np.int32)  # scores equal in threes
    half = queries // 2
    upto[:half] = rank[:half]
    positive = rng.integers(0, relevant + 1, queries).astype(np.int32)
    for values in (rank, upto, positive):
        values.flags.writeable = False
    return Ranks(rank, upto, positive, _GALLERY)


def is_one_value_a_query(subject: MetricSubject) -> None:
    """It gives one float64 a query, a number or NaN, under every definition."""
    cases = list(subject.cases())
    require(cases, "it takes no cut-off and not @all")
    for metric, definition, ranks in cases:
        value = per_query(metric, definition, ranks)
        where = f"{metric} under {definition.name}"
        require(isinstance(value, np.ndarray), f"{where} is {type(value).__name__}, no array")
        require(value.shape == (len(ranks.rank),), f"{where} has the shape {value.shape}")
        require(value.dtype == np.float64, f"{where} is {value.dtype}")
        require(not np.isinf(value).any(), f"{where} is infinite")


def a_query_stands_alone(subject: MetricSubject) -> None:
    """A query's value depends on its own ranks alone."""
    for metric, definition, ranks in subject.cases():
        together = per_query(metric, definition, ranks)
        for row in range(0, len(ranks.rank), 5):
            own = slice(row, row + 1)
            one = Ranks(ranks.rank[own], ranks.upto[own], ranks.positive[own], ranks.gallery)
            same = np.allclose(per_query(metric, definition, one), together[own], equal_nan=True)
            require(same, f"{metric} under {definition.name} differs with other queries beside it")


def a_better_order_is_not_worse(subject: MetricSubject) -> None:
    """Moving a relevant photo up does not lower it (definition `standard`)."""
    for metric in subject.metrics():
        for relevant in (1, 3, 7):
            ranks = random_ranks(relevant)
            for column in range(relevant):
                better = ranks.rank.copy()
                before = better[:, column - 1] if column else np.zeros(len(better), np.int32)
                better[:, column] = np.maximum(better[:, column] - 1, before + 1)
                values = [
                    per_query(metric, get("standard"), Ranks(r, r, ranks.positive, ranks.gallery))
                    for r in (np.array(ranks.rank), better)
                ]
                low = np.flatnonzero(values[1] < values[0] - 1e-12)
                shown = better[low[0]].tolist() if len(low) else []
                require(not len(low), f"{metric} is lower with the ranks {shown}")


def dropped_queries_are_nan(subject: MetricSubject) -> None:
    """Queries without a hit in the list are NaN where the definition leaves them out."""
    dropping = get("standard", ["no_hits=drop"])
    for metric in subject.metrics():
        if metric.k is None:
            continue
        ranks = random_ranks(2)
        none = ranks.rank[:, 0] > metric.k
        value = per_query(metric, dropping, ranks)
        require(np.isnan(value[none]).all(), f"{metric} counts them; return `left_out(…)`")
        require(not np.isnan(value[~none]).any(), f"{metric} leaves out queries that have a hit")


def is_spoken_of(subject: MetricSubject) -> None:
    """It is read back from its name and aliases, and explained in one line."""
    for metric in subject.metrics():
        require(parse(str(metric)) == metric, f"{metric} is read as {parse(str(metric))}")
        for alias in subject.measure.aliases:
            text = str(metric).replace(metric.kind, alias, 1)
            require(parse(text) == metric, f"{text} is read as {parse(text)}")
        for definition in all_definitions().values():
            line = explain(metric, definition)
            require(line and "\n" not in line, f"{metric} is explained as {line!r}")
    require(subject.measure.summary, "it has no summary")


def report_takes_it(subject: MetricSubject) -> None:
    """`report` can say whether two definitions of it differ."""
    for metric in subject.metrics():
        differing_parts(metric, get("standard"), get("sake"))


CHECKS: tuple[Callable[[MetricSubject], None], ...] = (
    is_one_value_a_query,
    a_query_stands_alone,
    a_better_order_is_not_worse,
    dropped_queries_are_nan,
    is_spoken_of,
    report_takes_it,
)
