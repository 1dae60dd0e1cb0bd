"""From embeddings to numbers: every metric under every definition from one pass over the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.seeds import rng_for
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.codes import BINARY, Binariser, encoder
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.metrics import Metric
from sbirctl.retrieval.ranking import Plan, parse_memory, rank
from sbirctl.retrieval.ranking_problem import Consumer, RankingProblem
from sbirctl.retrieval.ranks import Ranks


@dataclass(frozen=True)
class Options:
    """What is ranked and how.

    Attributes:
        binary: "sign" or "itq": the codes of definitions that rank by Hamming distance.
        bits: code length of ITQ.
        seed: of galleries that are drawn.
        plan: memory, threads, device.

    Raises:
        UsageError: there are no such codes.
    """

    binary: str = "sign"
    bits: int = 64
    seed: int = 0
    plan: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        if self.binary not in BINARY:
            raise UsageError(f"There is no binary code {self.binary!r}.", "Choose sign or itq.")

    @classmethod
    def typed(
        cls, binary: str | None = None, bits: int = 64, memory: str = "auto", device: str = "cpu"
    ) -> Options:
        """Options as a person types them: codes or none, "2G" or "auto", "cuda:1"."""
        plan = Plan(memory=parse_memory(memory), device=device)
        return cls(binary="sign" if binary is None else binary, bits=bits, plan=plan)


@dataclass(frozen=True)
class Result:
    """The metrics of one definition.

    Attributes:
        definition: the definition.
        values: {metric: (Q,) float64 per query}; NaN where the query is left out.
        relevant: (Q,) int64, relevant photos of each query.
        nonpositive: (Q,) int64, relevant photos with a score <= 0.
        tied: (Q,) int64, relevant photos with the score of a photo that is not relevant and stands
            behind them in the gallery.
        gallery: (Q,) int64, photos that were ranked for each query; 0 where none is relevant.
        group: (Q,) int64, what the mean of means goes over, None for the plain mean.
    """

    definition: Definition
    values: dict[str, np.ndarray]
    relevant: np.ndarray
    nonpositive: np.ndarray
    tied: np.ndarray
    gallery: np.ndarray
    group: np.ndarray | None

    def mean(self, metric: str, rows: np.ndarray | None = None) -> float | None:
        """The figure: the mean over queries, or over the means of classes or categories.

        Args:
            rows: (Q,) bool, queries that count; None for all.

        Returns:
            None where no query counts (or the definition makes the mean undefined).
        """
        value = self.values[metric]
        counts = ~np.isnan(value)
        if self.definition.no_relevant == "nan" and not metric.startswith("acc"):
            counts |= self.relevant == 0
        if rows is not None:
            counts &= rows
        return mean_of(value[counts], None if self.group is None else self.group[counts])

    def per_class(self, metric: str, label: np.ndarray) -> dict[int, tuple[float | None, int]]:
        """{label: (mean, number of queries that count)}."""
        value = self.values[metric]
        found = {}
        for code in np.unique(label):
            own = value[(label == code) & ~np.isnan(value)]
            found[int(code)] = (float(own.mean()) if len(own) else None, len(own))
        return found


def mean_of(value: np.ndarray, group: np.ndarray | None) -> float | None:
    """Mean of values, or mean of the groups' means; None if there are none or one is NaN."""
    if not len(value):
        return None
    if group is None:
        mean = float(value.mean())
    else:
        _, code = np.unique(group, return_inverse=True)
        mean = float((np.bincount(code, value) / np.bincount(code)).mean())
    return None if np.isnan(mean) else mean


def evaluate(
    embeddings: Embeddings,
    metrics: Sequence[Metric],
    definitions: Sequence[Definition],
    options: Options | None = None,
    report: Reporter = SILENT,
) -> list[Result]:
    """Every metric under every definition.

    Definitions that share similarity and gallery share one pass over the scores.

    Returns:
        One result a definition, in their order.

    Raises:
        MissingError: `acc@K` without instances; ITQ without training embeddings.
        MismatchError: a definition that the scores of pairs do not allow (`impossible`).
        UsageError: `options.plan.memory` is too small, or there is no such device.
    """
    options = options or Options()
    for definition in definitions:
        if reason := impossible(embeddings, definition):
            raise MismatchError(f"{definition.name} {reason}.", "Choose another definition.")
    if any(m.kind == "acc" for m in metrics) and embeddings.query_instance is None:
        raise MissingError(
            "acc@K needs to know which photo a sketch was drawn from; the file has no instances.",
            "Ask for map@all, or embed a data set with pairs.",
        )
    passes: dict[tuple[str, str], list[Definition]] = {}
    for definition in definitions:
        compared: str = definition.similarity if embeddings.matrix is None else "given"
        passes.setdefault((compared, definition.gallery), []).append(definition)
    results: dict[int, Result] = {}
    for (similarity, gallery), group in passes.items():
        code = None
        if similarity == "hamming":
            code = encoder(embeddings, options.binary, options.bits)
        made = _pass(embeddings, metrics, group, (similarity, gallery), code, options, report)
        results |= {id(d): r for d, r in zip(group, made, strict=True)}
    return [results[id(d)] for d in definitions]


def impossible(e: Embeddings, definition: Definition) -> str:
    """Why a definition cannot be had of scores or distances of pairs; "" where it can."""
    if e.matrix is None:
        return ""
    if definition.similarity == "hamming":
        return "ranks binary codes, and there are only scores of pairs"
    if definition.nonpositive == "ignore" and e.scores is None:
        return "looks at the sign of a score, and there are only distances"
    return ""


def _pass(
    e: Embeddings,
    metrics: Sequence[Metric],
    definitions: list[Definition],
    what: tuple[str, str],
    code: Binariser | None,
    options: Options,
    report: Reporter,
) -> list[Result]:
    size = len(e.query)
    values = [{str(m): np.full(size, np.nan) for m in metrics} for _ in definitions]
    relevant, nonpositive = np.zeros(size, np.int64), np.zeros(size, np.int64)
    tied, ranked = np.zeros(size, np.int64), np.zeros(size, np.int64)
    own = np.zeros(size, np.int64)

    def take(queries: np.ndarray, ranks: Ranks) -> None:
        relevant[queries] = ranks.relevant
        nonpositive[queries] = ranks.relevant - ranks.positive
        tied[queries] = ranks.tied_with_others
        ranked[queries] = ranks.gallery
        for definition, found in zip(definitions, values, strict=True):
            for metric in metrics:
                if metric.kind != "acc":
                    found[str(metric)][queries] = measures.per_query(metric, definition, ranks)

    def take_own(queries: np.ndarray, ranks: np.ndarray) -> None:
        own[queries] = ranks

    wants_own = any(m.kind == "acc" for m in metrics)
    consumer = Consumer(take, take_own if wants_own else None)
    for query, gallery in problems(e, what[1], options.seed):
        rank(
            RankingProblem.from_embeddings(e, what[0], code, query, gallery),
            consumer,
            options.plan,
            report,
        )
    for definition, found in zip(definitions, values, strict=True):
        for metric in metrics:
            if metric.kind == "acc":
                found[str(metric)][:] = measures.own_photo(metric, own)
            elif definition.no_relevant == "zero":
                found[str(metric)][relevant == 0] = 0.0
    return [
        Result(d, found, relevant, nonpositive, tied, ranked, _groups(e, d))
        for d, found in zip(definitions, values, strict=True)
    ]


def problems(
    e: Embeddings, gallery: str = "photos", seed: int = 0
) -> list[tuple[np.ndarray | None, np.ndarray | None]]:
    """(query rows, gallery rows) of each ranking that `scope` asks for; None for all rows.

    Args:
        gallery: "photos", or "drawn" with `seed` (`Definition.gallery`).
    """
    photos = drawn_gallery(e, seed) if gallery == "drawn" else None
    if e.scope == "all":
        return [(None, photos)]
    rows = np.arange(len(e.gallery)) if photos is None else photos
    query_group = e.query_label if e.query_group is None else e.query_group
    gallery_group = e.gallery_label if e.gallery_group is None else e.gallery_group
    problems: list[tuple[np.ndarray | None, np.ndarray | None]] = []
    for group in np.unique(query_group):
        mine = rows[gallery_group[rows] == group]
        if len(mine):
            problems.append((np.flatnonzero(query_group == group), mine))
    return problems


def drawn_gallery(e: Embeddings, seed: int) -> np.ndarray:
    """One random relevant photo a query, with replacement: rows of the gallery, in query order."""
    order = np.argsort(e.gallery_label, kind="stable")
    start = np.searchsorted(e.gallery_label[order], np.arange(len(e.classes) + 1))
    first, count = start[e.query_label], np.diff(start)[e.query_label]
    chosen = first + (rng_for("gallery", seed).random(len(e.query)) * count).astype(np.int64)
    rows: np.ndarray = order[chosen[count > 0]]
    return rows


def _groups(e: Embeddings, definition: Definition) -> np.ndarray | None:
    if e.scope == "class" and e.query_group is not None:
        return e.query_group
    return e.query_label if e.scope == "class" or definition.average == "class" else None
