"""`evaluate` of several runs, each by itself, of a run on other data, or of a given ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sbirctl.core.errors import UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import evaluate, evaluate_trec
from sbirctl.pipeline.pictures import titled, titles_of
from sbirctl.pipeline.scores import EvaluateRequest, Scores


@dataclass(frozen=True)
class Evaluated:
    """What was measured.

    Attributes:
        title: the run's label, or what it is called in tables.
        path: the file of vectors, or of the ranking.
        scores: as `evaluate --json` prints them.
    """

    title: str
    path: Path
    scores: Scores


def evaluate_all(
    places: Sequence[Path],
    request: EvaluateRequest,
    *,
    qrels: Path | None = None,
    labels: Sequence[str] = (),
    dataset: str = "",
    split: str = "",
    leaks: str = "refuse",
    report: Reporter = SILENT,
) -> list[Evaluated]:
    """Measure each by itself.

    Args:
        places: embeddings files or runs, none for the newest run; with `qrels` one ranking.
        qrels: TREC file that says what is relevant in a ranking.
        labels: titles of them, none for those of the runs.
        dataset, split, leaks: test one run or model there instead, see `pipeline.embed.embed_all`.

    Raises:
        UsageError: something is asked for that is for one file or run, or goes with another kind.
        SbirctlError: as `evaluate` and `evaluate_trec` raise.
    """
    if len(places) > 1:
        _refuse_for_several(request, qrels, dataset, split)
    if dataset or split:
        from sbirctl.pipeline.embed import embed

        if not places or qrels is not None:
            raise UsageError("--dataset and --split are for a run or model.", "Name it first.")
        places = [embed(places[0], dataset=dataset, split=split, leaks=leaks, report=report)]
    if qrels is not None:
        if not places:
            raise UsageError("--qrels judges a ranking, and none is named.", "Name its file first.")
        (title,) = titles_of(places, labels)
        return [Evaluated(title, places[0], evaluate_trec(places[0], qrels, request, report))]
    wanted: Sequence[Path | None] = places or [None]
    return [
        Evaluated(title, path, evaluate(path, request, report))
        for path, title in titled(wanted, labels, report)
    ]


def _refuse_for_several(
    request: EvaluateRequest, qrels: Path | None, dataset: str, split: str
) -> None:
    """Raise UsageError for what is about one file."""
    given: dict[str, object] = {"--dataset": dataset, "--split": split, "--qrels": qrels}
    given |= {"--per-query": request.per_query, "--trec": request.trec}
    for option, value in given.items():
        if value:
            raise UsageError(f"{option} is for one file or run.", "Name one.")
