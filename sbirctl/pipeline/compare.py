"""Two systems, each with one or more seeds, on the same queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sbirctl.core.errors import UsageError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import find_embeddings, once, read_embeddings
from sbirctl.pipeline.pictures import titles_of
from sbirctl.pipeline.scores import unit_of
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.comparison import Comparison, System, align, reorder
from sbirctl.retrieval.comparison import compare as compare_systems
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, evaluate
from sbirctl.retrieval.statistics import Unit


@dataclass(frozen=True)
class Compared:
    """Two systems and what was found, metric by metric.

    Attributes:
        systems: what each is called, and its files.
        rows: one a metric.
    """

    systems: tuple[tuple[str, tuple[Path, ...]], ...]
    rows: list[Comparison]


def compare(
    ours: Sequence[Path],
    theirs: Sequence[Path],
    metrics: Sequence[str],
    definition: Definition,
    options: Options | None = None,
    report: Reporter = SILENT,
    unit: Unit | None = None,
    names: Sequence[str] = (),
) -> Compared:
    """Compare two configurations; several files a side are seeds of one configuration.

    Args:
        ours, theirs: embeddings files or run folders.
        metrics: names, the default ones if empty.
        unit: of interval and test; None for the one of the task.
        names: of the two systems; empty for the labels or names of their first runs.

    Raises:
        UsageError: a side has no file, or there are not two names.
        MismatchError: the sides do not rank the same queries.
    """
    if not ours or not theirs:
        raise UsageError(
            "There are no two sides to compare.",
            "Type `sbirctl compare A B`, or `sbirctl compare A1 A2 vs B1 B2`.",
        )

    found = [[find_embeddings(where, report) for where in side] for side in (ours, theirs)]
    sides = [tuple(side[i] for i in once(side, report)) for side in found]
    other = {path.resolve() for path in sides[1]}
    for path in sides[0]:
        if path.resolve() in other:
            report.warn(f"{display_path(path)} stands on both sides.")
    titles = titles_of([side[0] for side in sides], names)

    def read(side: Sequence[Path]) -> Iterator[Embeddings]:
        return (read_embeddings(path, report, vectors=False) for path in side)

    first, second = map(read, sides)
    rows = compare_embeddings(first, second, metrics, definition, options, report=report, unit=unit)
    return Compared(tuple(zip(titles, sides, strict=True)), rows)


def compare_embeddings(
    ours: Iterable[Embeddings],
    theirs: Iterable[Embeddings],
    metrics: Sequence[str],
    definition: Definition,
    options: Options | None = None,
    *,
    unit: Unit | None = None,
    report: Reporter = SILENT,
) -> list[Comparison]:
    """The same for embeddings that are at hand; each is looked at once.

    Raises:
        UsageError: a side has none.
        MismatchError: the sides do not rank the same queries.
    """
    parsed = [measures.parse(name) for name in dict.fromkeys(metrics or measures.DEFAULT)]
    reference: Embeddings | None = None
    systems: list[System] = []
    starts: list[str] = []
    for side in (ours, theirs):
        results = []
        start: set[str] = set()
        for embeddings in side:
            (result,) = evaluate(embeddings, parsed, [definition], options, report)
            reference = reference or embeddings
            if (weights := embeddings.provenance.weights) is not None:
                start.add("random values" if weights.source == "none" else weights.name)
            if len(embeddings.gallery) != len(reference.gallery):
                report.warn(
                    f"The galleries differ: {len(reference.gallery)} photos and "
                    f"{len(embeddings.gallery)}."
                )
            results.append(reorder(result, align(reference, embeddings)))
        if reference is None or not results:
            raise UsageError("A side has no embeddings.", "Give at least one a side.")
        systems.append(System(reference, results))
        starts.append(", ".join(sorted(start)))
    if all(starts) and len(set(starts)) > 1:
        report.warn(
            f"The two start from other weights: {starts[0]}, and {starts[1]}. How much of the "
            "difference is theirs, this does not say."
        )
    assert reference is not None
    names = [str(metric) for metric in parsed]
    return compare_systems(systems[0], systems[1], names, unit or unit_of(reference))
