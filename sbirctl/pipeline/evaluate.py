"""Scores of an embeddings file or a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sbirctl.core.errors import MissingError, SbirctlError, UsageError, few
from sbirctl.core.files import atomic_open, display_path, write_json
from sbirctl.core.home import newest_run
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.inference import STARTER
from sbirctl.pipeline.scores import SCHEMA, EvaluateRequest, Scores, describe
from sbirctl.retrieval import embeddings as files
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.collapse import TIED, tie_rules, tie_sign, tied_share, vector_signs
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Result
from sbirctl.retrieval.evaluation import evaluate as rank_and_measure
from sbirctl.splits.spellings import key
from sbirctl.training.find import find_run, refuse_changed

EMBEDDINGS = "embeddings.h5"
SCORES = "scores.json"


def find_embeddings(where: Path | None, report: Reporter = SILENT) -> Path:
    """The embeddings file meant by a file, a run's folder, name or address, or nothing (the newest
    run).

    A run without embeddings is embedded.

    Raises:
        MissingError: it is not there.
    """
    if where is None:
        where = newest_run()
        report.note(f"The newest run is {display_path(where)}.")
    elif not where.exists():
        named = find_run(str(where), report)
        if named is None:
            raise MissingError(
                f"There is no file or run {display_path(where)}.",
                "Name embeddings (HDF5 or NPZ), or a run: see `sbirctl runs`.",
            )
        where = named
    if not where.is_dir():
        return where
    refuse_changed(where)
    path = where / EMBEDDINGS
    if path.is_file():
        return path
    from sbirctl.pipeline.embed import embed

    return embed(where, report=report)


def once(paths: Sequence[Path], report: Reporter = SILENT) -> list[int]:
    """Which of some files to count: each the first time; one that is named again is warned of."""
    kept: dict[Path, int] = {}
    for number, path in enumerate(paths):
        if kept.setdefault(path.resolve(), number) != number:
            report.warn(f"{display_path(path)} is named twice and counted once.")
    return list(kept.values())


def read_embeddings(path: Path, report: Reporter = SILENT, *, vectors: bool = True) -> Embeddings:
    """The embeddings of a file; what makes it no plain figure is said: test images trained on,
    re-ranking, the starter. Arrays that are not read are named.

    Raises:
        MissingError, MismatchError, CorruptError: see `retrieval.embeddings.read`.
    """
    embeddings = files.read(path, vectors=vectors)
    if other := files.unread(path):
        report.note(
            f"{display_path(path)} also holds {few(other, 5)}, which is not read; docs/formats.md "
            "lists what is."
        )
    if embeddings.model == STARTER:
        from sbirctl.inference.onnx import zero_shot_note

        report.warn(f"These are vectors of the starter. {zero_shot_note()}")
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
    where: Path | None, request: EvaluateRequest | None = None, report: Reporter = SILENT
) -> Scores:
    """Evaluate and return the scores as `evaluate --json` prints them.

    The scores of a run are also kept in its folder.

    Args:
        where: an embeddings file, a run's folder or name, or None for the newest run.
    """
    request = request or EvaluateRequest()
    path = find_embeddings(where, report)
    scores, _ = score(read_embeddings(path, report, vectors=False), request, report)
    if path.name == EMBEDDINGS and (path.parent / "config.toml").is_file():
        try:
            write_json(path.parent / SCORES, scores)
        except SbirctlError as error:
            report.warn(error.message)
    return scores


def evaluate_trec(
    run: Path, judgements: Path, request: EvaluateRequest, report: Reporter = SILENT
) -> Scores:
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
    e: Embeddings, request: EvaluateRequest, report: Reporter = SILENT
) -> tuple[Scores, Result]:
    """Rank, measure, and say what is wrong with the vectors or the ranking.

    Returns:
        The scores as `evaluate --json` prints them, and the values of each query.
    """
    if request.trec is not None and request.trec.exists() and not request.trec.is_dir():
        raise UsageError(f"{display_path(request.trec)} is a file.", "Name a folder.")
    metrics = [measures.parse(name) for name in dict.fromkeys(request.metrics or measures.DEFAULT)]
    (result,) = rank_and_measure(e, metrics, [request.definition], request.options, report)
    scores = describe(e, result, metrics, request)
    _warn(scores, e, result, report)
    for sign in vector_signs(e):
        report.warn(sign)
    ranked = [metric for metric in metrics if metric.kind != "acc"]
    if ranked and (share := tied_share(result)) >= TIED:
        figures = tie_rules(e, ranked, request.definition, request.options, report)
        scores["ties"] = {
            "share": share,
            "gallery": figures["gallery"],
            "grouped": figures["grouped"],
            "pessimistic": figures["pessimistic"],
        }
        report.warn(tie_sign(share, figures, str(ranked[0]), scores["chance"]))
    if request.per_query is not None:
        write_per_query(request.per_query, e, result)
    if request.trec is not None:
        from sbirctl.retrieval.trec import write_trec

        request.trec.mkdir(parents=True, exist_ok=True)
        write_trec(e, request.trec / "run.txt", request.trec / "qrels.txt", request.depth)
    return scores, result


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


def _warn(scores: Scores, e: Embeddings, result: Result, report: Reporter) -> None:
    if scores["queries_without_relevant"]:
        where = "the gallery" if e.scope == "all" else "their group"
        report.warn(
            f"{scores['queries_without_relevant']} of {len(e.query)} queries have no photo of "
            f"their class in {where} (no_relevant={scores['definition']['no_relevant']})"
            f"{_unmet(e, result)}."
        )
    if scores.get("interval_unit") == "class" and scores["classes"] == 1:
        report.warn("All queries are of one class: there is no interval over classes (--ci query).")
    if len(e.query) and (result.relevant == len(e.gallery)).all() and len(e.gallery) > 1:
        report.warn("Every photo is right for every query: these figures are chance.")
    for name in scores["metrics"]:
        cut = name.partition("@")[2]
        if cut != "all" and int(cut) > len(e.gallery):
            report.warn(f"{name} looks further than the gallery of {len(e.gallery)} photos.")


def _unmet(e: Embeddings, result: Result) -> str:
    """The classes of queries without a photo; behind one its other spelling in the gallery."""
    there = {key(e.classes[label]): e.classes[label] for label in np.unique(e.gallery_label)}
    without = [str(e.classes[label]) for label in np.unique(e.query_label[result.relevant == 0])]
    said = [
        f"{name!r} ({there[key(name)]!r} there)"
        if there.get(key(name), name) != name
        else repr(name)
        for name in without
    ]
    return f": {few(said, 5)}"
