"""Scores of an embeddings file or a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.files import atomic_open, display_path, write_json
from sbirctl.core.home import find_run, newest_run
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.inference import starter
from sbirctl.retrieval import embeddings as files
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.chance import chance_levels
from sbirctl.retrieval.collapse import TIED, tie_rules, tie_sign, tied_share, vector_signs
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.definitions import get as get_definition
from sbirctl.retrieval.duplicates import count_duplicates
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, Result
from sbirctl.retrieval.evaluation import evaluate as rank_and_measure
from sbirctl.retrieval.statistics import Unit, bootstrap_interval, class_interval

SCHEMA = 2
EMBEDDINGS = "embeddings.h5"
SCORES = "scores.json"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        metrics: names, the default ones if empty.
        definition: which definition.
        options: codes, memory, device.
        interval: also a 95 % bootstrap interval of each figure, over classes, queries or what the
            task says (auto).
        per_class: also the mean of every class.
        per_query: file for the values of every query, or None.
        trec: folder for the ranking as `run.txt` and its judgements as `qrels.txt`, or None.
        depth: photos a query there.
    """

    metrics: Sequence[str] = ()
    definition: Definition = field(default_factory=lambda: get_definition("standard"))
    options: Options = field(default_factory=Options)
    interval: Literal["", "auto", "class", "query"] = ""
    per_class: bool = False
    per_query: Path | None = None
    trec: Path | None = None
    depth: int = 1000


def find_embeddings(where: Path | None, report: Reporter = SILENT) -> Path:
    """The embeddings file meant by a file, a run's folder or name, or nothing (the newest run).

    A run without embeddings is embedded.

    Raises:
        MissingError: it is not there.
    """
    if where is None:
        where = newest_run()
        report.note(f"The newest run is {display_path(where)}.")
    elif not where.exists():
        named = find_run(str(where))
        if named is None:
            raise MissingError(
                f"There is no file or run {display_path(where)}.",
                "Name embeddings (HDF5 or NPZ), or a run: see `sbirctl runs`.",
            )
        where = named
    if not where.is_dir():
        return where
    path = where / EMBEDDINGS
    if path.is_file():
        return path
    from sbirctl.pipeline.embed import embed

    return embed(where, report=report)


def read_embeddings(path: Path, report: Reporter = SILENT, *, vectors: bool = True) -> Embeddings:
    """The embeddings of a file; what makes it no plain figure is said: test images trained on,
    re-ranking, the starter.

    Raises:
        MissingError, MismatchError, CorruptError: see `retrieval.embeddings.read`.
    """
    embeddings = files.read(path, vectors=vectors)
    if embeddings.model == starter.NAME:
        report.warn(f"These are vectors of the starter. {starter.zero_shot_note()}")
    if embeddings.provenance.leak:
        report.warn(f"{display_path(path)}: {embeddings.provenance.leak}.")
    if embeddings.provenance.after_model:
        report.warn(f"{display_path(path)}: {embeddings.provenance.after_model}.")
    return embeddings


def say_unstated(e: Embeddings, path: Path, report: Reporter) -> None:
    """Warn of what a file does not say, though every figure measured on it depends on it."""
    given = {"task": e.task, "model": e.model, "store_digest": e.store}
    missing = [name for name in e.provenance.unstated() if not given.get(name)]
    if missing:
        report.warn(
            f"{display_path(path)} does not say its {', '.join(missing)}: what was measured rests "
            "on your word."
        )


def evaluate(
    where: Path | None, request: Request | None = None, report: Reporter = SILENT
) -> dict[str, Any]:
    """Evaluate and return the scores as `evaluate --json` prints them.

    The scores of a run are also kept in its folder.

    Args:
        where: an embeddings file, a run's folder or name, or None for the newest run.
    """
    request = request or Request()
    path = find_embeddings(where, report)
    scores, _ = score(read_embeddings(path, report, vectors=False), request, report)
    if path.name == EMBEDDINGS and (path.parent / "config.toml").is_file():
        try:
            write_json(path.parent / SCORES, scores)
        except SbirctlError as error:
            report.warn(error.message)
    return scores


def evaluate_trec(
    run: Path, judgements: Path, request: Request, report: Reporter = SILENT
) -> dict[str, Any]:
    """Scores of a ranking and its judgements in TREC's form, with the keys of `evaluate`.

    Chance and classes are not known and left out.

    Raises:
        UsageError: something is asked for that only vectors or classes give.
        MissingError, CorruptError, MismatchError: as `trec.read_trec` and `ranked_lists.measure`.
    """
    from sbirctl.retrieval.ranked_lists import measure
    from sbirctl.retrieval.trec import read_trec

    asked = {
        "--ci": request.interval,
        "--per-class": request.per_class,
        "--per-query": request.per_query,
        "--trec": request.trec,
    }
    for option, value in asked.items():
        if value:
            raise UsageError(f"{option} needs embeddings, not a ranking.", "Leave it out.")
    metrics = [measures.parse(name) for name in dict.fromkeys(request.metrics or measures.DEFAULT)]
    lists = read_trec(run, judgements)
    if lists.unranked:
        report.warn(
            f"{lists.unranked} of {len(lists.query)} judged queries are not ranked: they count as "
            "without a hit."
        )
    result = measure(lists, metrics, request.definition)
    names = list(result.values)
    definition = result.definition
    return {
        "schema": SCHEMA,
        "metrics": {name: result.mean(name) for name in names},
        "chance": dict.fromkeys(names),
        "definitions": {str(m): measures.explain(m, definition, "as ranked") for m in metrics},
        "definition": {"name": definition.name, **definition.choices()},
        "queries": len(lists.query),
        "depth": lists.hit.shape[1],
    }


def score(
    e: Embeddings, request: Request, report: Reporter = SILENT
) -> tuple[dict[str, Any], Result]:
    """Rank, measure, and say what is wrong with the vectors or the ranking.

    Returns:
        The scores as `evaluate --json` prints them, and the values of each query.
    """
    metrics = [measures.parse(name) for name in dict.fromkeys(request.metrics or measures.DEFAULT)]
    (result,) = rank_and_measure(e, metrics, [request.definition], request.options, report)
    scores = describe(e, result, metrics, request)
    _warn(scores, e, report)
    for sign in vector_signs(e):
        report.warn(sign)
    ranked = [metric for metric in metrics if metric.kind != "acc"]
    if ranked and (share := tied_share(result)) >= TIED:
        figures = tie_rules(e, ranked, request.definition, request.options, report)
        scores["ties"] = {"share": share, **figures}
        report.warn(tie_sign(share, figures, str(ranked[0]), scores["chance"]))
    if request.per_query is not None:
        write_per_query(request.per_query, e, result)
    if request.trec is not None:
        from sbirctl.retrieval.trec import write_trec

        request.trec.mkdir(parents=True, exist_ok=True)
        write_trec(e, request.trec / "run.txt", request.trec / "qrels.txt", request.depth)
    return scores, result


def describe(
    e: Embeddings, result: Result, metrics: Sequence[measures.Metric], request: Request
) -> dict[str, Any]:
    """The scores as JSON values; docs/formats.md lists the keys."""
    names = list(result.values)
    scores: dict[str, Any] = {
        "schema": SCHEMA,
        "metrics": {name: result.mean(name) for name in names},
        "chance": chance_levels(e, result, metrics, request.options.seed),
        "definitions": {str(m): _explain(m, result.definition, e) for m in metrics},
        "definition": {"name": result.definition.name, **result.definition.choices()},
        "queries": len(e.query),
        "gallery": len(e.gallery),
        "classes": len(np.unique(e.query_label)),
        "queries_without_relevant": int(np.count_nonzero(result.relevant == 0)),
        "gallery_duplicates": count_duplicates(e),
        "scope": e.scope,
    }
    if result.definition.similarity == "hamming":
        itq = request.options.binary == "itq"
        bits = request.options.bits if itq else e.query.shape[1]
        scores["binary"] = {"code": request.options.binary, "bits": bits}
    for key in ("model", "checkpoint", "store", "task", "split"):
        scores[key] = getattr(e, key)
    scores["provenance"] = e.provenance.to_json()
    if e.seen is not None and e.seen.any():
        rows = e.seen[e.query_label]
        if not rows.all():  # else there is nothing to tell apart
            scores["seen"] = {name: result.mean(name, rows) for name in names}
            scores["unseen"] = {name: result.mean(name, ~rows) for name in names}
            scores["harmonic"] = {
                name: harmonic_mean(scores["seen"][name], scores["unseen"][name]) for name in names
            }
    if request.interval:
        unit = unit_of(e) if request.interval == "auto" else request.interval
        scores["intervals"] = {name: _interval(e, result, name, unit) for name in names}
        scores["interval_unit"] = unit
    if request.per_class:
        scores["per_class"] = _per_class(e, result)
    return scores


def harmonic_mean(a: float | None, b: float | None) -> float | None:
    """2 a b / (a + b), as generalised zero-shot work sums up seen and unseen; 0 if both are 0."""
    if a is None or b is None:
        return None
    return 2 * a * b / (a + b) if a + b else 0.0


def write_per_query(path: Path, e: Embeddings, result: Result) -> None:
    """Tab-separated values of every query in file order; empty where a query is left out."""
    names = list(result.values)
    columns = [result.values[name] for name in names]
    with atomic_open(path, "w") as stream:
        print("query", "path", "class", "relevant", *names, sep="\t", file=stream)
        for i, label in enumerate(e.query_label):
            shown = "" if e.query_path is None else display_path(bytes(e.query_path[i]))
            cells = ["" if np.isnan(c[i]) else repr(float(c[i])) for c in columns]
            name = e.classes[label].replace("\t", " ").replace("\n", " ")
            print(i, shown, name, result.relevant[i], *cells, sep="\t", file=stream)


def _explain(metric: measures.Metric, definition: Definition, e: Embeddings) -> str:
    given = (
        ""
        if e.matrix is None
        else "scores as given"
        if e.distances is None
        else "distances as given"
    )
    return measures.explain(metric, definition, given)


def unit_of(e: Embeddings) -> Unit:
    """What is drawn by chance: the task says; the query where no task is known."""
    from sbirctl.tasks import TASKS

    return TASKS.get(e.task).unit if e.task in TASKS else "query"


def _interval(e: Embeddings, result: Result, name: str, unit: Unit) -> list[float] | None:
    """None where no query counts, or where the classes are the unit and there is only one."""
    value = result.values[name]
    counts = ~np.isnan(value)
    if not counts.any():
        return None
    group = None if result.group is None else result.group[counts]
    if unit == "query":
        return list(bootstrap_interval(value[counts], group))
    label = (e.query_label if e.query_group is None else e.query_group)[counts]
    if len(np.unique(label)) < 2:
        return None
    return list(class_interval(value[counts], label, macro=group is not None))


def _per_class(e: Embeddings, result: Result) -> dict[str, dict[str, Any]]:
    label, classes = e.query_label, e.classes
    if e.scope == "class" and e.query_group is not None:
        label, classes = e.query_group, e.groups
    found: dict[str, dict[str, Any]] = {}
    for code in np.unique(label):
        name = classes[code] if classes else str(code)
        found[name] = {"queries": int(np.count_nonzero(label == code))}
    for metric in result.values:
        means = result.per_class(metric, label)
        for entry, (mean, _) in zip(found.values(), means.values(), strict=True):
            entry[metric] = mean
    return found


def _warn(scores: dict[str, Any], e: Embeddings, report: Reporter) -> None:
    if scores["queries_without_relevant"]:
        report.warn(
            f"{scores['queries_without_relevant']} of {len(e.query)} queries have no photo of "
            f"their class in the gallery (no_relevant={scores['definition']['no_relevant']})."
        )
    if scores.get("interval_unit") == "class" and scores["classes"] == 1:
        report.warn("All queries are of one class: there is no interval over classes (--ci query).")
    for name in scores["metrics"]:
        cut = name.partition("@")[2]
        if cut != "all" and int(cut) > len(e.gallery):
            report.warn(f"{name} looks further than the gallery of {len(e.gallery)} photos.")
