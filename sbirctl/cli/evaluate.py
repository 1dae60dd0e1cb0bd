"""`sbirctl evaluate`: how well a ranking is, and by which definition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sbirctl.cli import _console
from sbirctl.cli.embed import LeaksOption
from sbirctl.core.errors import SbirctlError, UsageError

if TYPE_CHECKING:
    from sbirctl.retrieval.definitions import Definition
    from sbirctl.retrieval.evaluation import Options

panel = "Pipeline"
order = 40

MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        "-m",
        help="Metric to print: map@all, map@K, prec@K, recall@K or acc@K; may be repeated.",
    ),
]
DefinitionOption = Annotated[
    str,
    typer.Option(
        "--definition",
        "-d",
        help="Whose definition of the metrics to use; `sbirctl metrics` lists them.",
    ),
]
PartsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PART=CHOICE", help="Change one part of the definition; may be repeated."
    ),
]
BinaryOption = Annotated[
    str | None,
    typer.Option(
        "--binary",
        metavar="sign|itq",
        help="Make binary codes of the embeddings this way, and rank by Hamming distance.",
    ),
]
BitsOption = Annotated[
    int,
    typer.Option(
        "--bits", help="Length of the codes of --binary itq; sign has one bit a dimension."
    ),
]
MemoryOption = Annotated[
    str,
    typer.Option(
        "--memory",
        help="Memory to use at most beyond the embeddings, such as 500M; auto: 2G, or "
        "what is needed.",
    ),
]
RankDeviceOption = Annotated[
    str, typer.Option("--device", help="Where to rank: cpu, cuda, cuda:1 or mps.")
]


def command(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|RUN|-",
            help="Embeddings or scores of pairs (HDF5, NPZ), or a run; - reads its path from "
            "stdin; with --qrels a TREC ranking. [default: the newest run]",
            show_default=False,
        ),
    ] = None,
    metric: MetricOption = None,
    definition: DefinitionOption = "standard",
    assignments: PartsOption = None,
    json: _console.JsonOption = False,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Print a row for every class.")
    ] = False,
    per_query: Annotated[
        Path | None,
        typer.Option(
            "--per-query",
            metavar="FILE",
            help="Also write every query's values into this file, as TSV.",
        ),
    ] = None,
    minimum: Annotated[
        list[str] | None,
        typer.Option(
            "--min",
            metavar="METRIC=VALUE",
            help="Exit with status 1 if a metric is below this; may be repeated.",
        ),
    ] = None,
    interval: Annotated[
        str,
        typer.Option(
            "--ci",
            metavar="[auto|class|query]",
            help="Add 95 % bootstrap intervals over classes or queries; auto: whichever the "
            "task names.",
        ),
    ] = "",
    qrels: Annotated[
        Path | None,
        typer.Option("--qrels", metavar="FILE", help="TREC file that says what is relevant."),
    ] = None,
    trec: Annotated[
        Path | None,
        typer.Option(
            "--trec",
            metavar="FOLDER",
            help="Write the ranking as run.txt and qrels.txt, for trec_eval and others.",
        ),
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", min=1, help="How many photos of each query --trec writes.")
    ] = 1000,
    dataset: Annotated[
        str, typer.Option("--dataset", help="Embed a run on this prepared data set first.")
    ] = "",
    split: Annotated[
        str, typer.Option("--split", help="The classes tested there: a list, a file, or all.")
    ] = "",
    leaks: LeaksOption = "refuse",
    binary: BinaryOption = None,
    bits: BitsOption = 64,
    memory: MemoryOption = "auto",
    device: RankDeviceOption = "cpu",
) -> None:
    """Rank the gallery for every query, exactly, and print the metrics."""
    from sbirctl.pipeline.evaluate import Request, evaluate, evaluate_trec

    limits = _limits(minimum or [])
    wanted = [*(metric or []), *limits]
    if limits and not metric:
        from sbirctl.retrieval.metrics import DEFAULT

        wanted = [*DEFAULT, *limits]
    request = Request(
        metrics=list(dict.fromkeys(_canonical(name) for name in wanted)),
        definition=definition_for(definition, assignments or [], binary),
        options=ranking_options(binary, bits, memory, device),
        interval=unit_for(interval, "--ci") if interval else "",
        per_class=per_class,
        per_query=per_query,
        trec=trec,
        depth=depth,
    )
    where = None if file is None else _console.input_path(file)
    if dataset or split:
        from sbirctl.pipeline.embed import embed

        if where is None or qrels is not None:
            raise UsageError("--dataset and --split are for a run or model.", "Name it first.")
        where = embed(where, dataset=dataset, split=split, leaks=leaks, report=_console.reporter())
    if qrels is None:
        scores = evaluate(where, request, _console.reporter())
    else:
        if where is None:
            raise UsageError("--qrels judges a ranking, and none is named.", "Name its file first.")
        _refuse_beside_qrels(interval, per_class, per_query, trec, binary)
        scores = evaluate_trec(where, qrels, request, _console.reporter())
    if json:
        _console.print_json(scores)
    else:
        _print(scores)
    _check(scores["metrics"], limits)


def _refuse_beside_qrels(
    interval: str, per_class: bool, per_query: Path | None, trec: Path | None, binary: str | None
) -> None:
    """Raise UsageError for an option that a ranking without vectors and classes cannot serve."""
    given = {"--ci": interval, "--per-class": per_class, "--per-query": per_query, "--trec": trec}
    for option, value in {**given, "--binary": binary}.items():
        if value:
            raise UsageError(f"{option} needs embeddings, not a ranking.", "Leave it out.")


def definition_for(name: str, assignments: list[str], binary: str | None) -> Definition:
    """The definition that the options ask for."""
    from sbirctl.retrieval import definitions

    return definitions.get(name, [*assignments, *(["similarity=hamming"] if binary else [])])


def unit_for(text: str, option: str) -> Literal["auto", "class", "query"]:
    """The unit of intervals and tests that an option names; plurals are taken too.

    Raises:
        UsageError: it names none.
    """
    match text:
        case "auto":
            return "auto"
        case "class" | "classes":
            return "class"
        case "query" | "queries":
            return "query"
    raise UsageError(f"{option} {text!r} is no unit.", f"Type {option} class or {option} query.")


def ranking_options(binary: str | None, bits: int, memory: str, device: str) -> Options:
    """How the options say to rank.

    Raises:
        UsageError: no such binary code.
    """
    from sbirctl.retrieval.codes import BINARY
    from sbirctl.retrieval.evaluation import Options
    from sbirctl.retrieval.ranking import Plan, parse_memory

    if binary is not None and binary not in BINARY:
        raise UsageError(f"There is no binary code {binary!r}.", "Choose sign or itq.")
    plan = Plan(memory=parse_memory(memory), device=device)
    return Options(binary=binary or "sign", bits=bits, plan=plan)


def _canonical(name: str) -> str:
    from sbirctl.retrieval.metrics import parse

    return str(parse(name))


def _limits(texts: list[str]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            name = _canonical(name)
            if limits.setdefault(name, float(value)) != float(value):
                raise UsageError(f"--min has two limits for {name}.", "Give it once.")
        except ValueError as error:
            raise UsageError(
                f"--min {text!r} is no limit.", "Write it like --min map@all=0.4."
            ) from error
    return limits


def _print(scores: dict[str, Any]) -> None:
    if "per_class" in scores:
        names = list(scores["metrics"])
        rows = [[c, e["queries"], *(e[n] for n in names)] for c, e in scores["per_class"].items()]
        rows.append(["(all)", scores["queries"], *(scores["metrics"][n] for n in names)])
        rows.append(["(chance)", scores["queries"], *(scores["chance"][n] for n in names)])
        _console.print_table(("class", "queries", *names), rows)
        return
    columns: list[tuple[str, dict[str, Any]]] = [("value", scores["metrics"])]
    columns += [(kind, scores[kind]) for kind in ("unseen", "seen", "harmonic") if kind in scores]
    header = ["metric", *(name for name, _ in columns)]
    rows = [[m, *(values[m] for _, values in columns)] for m in scores["metrics"]]
    if "intervals" in scores:
        header += ["low", "high", "unit"]
        for row in rows:
            row += [*(scores["intervals"][row[0]] or [None, None]), scores["interval_unit"]]
    header.append("chance")
    for row in rows:
        row += [scores["chance"][row[0]], scores["definitions"][row[0]]]
    sides = (
        f"{scores['depth']} photos a list"
        if "depth" in scores
        else f"{scores['gallery']} photos, {scores['classes']} classes"
    )
    title = f"{scores['queries']} queries, {sides}; definition {scores['definition']['name']}"
    title += _remarks(scores)
    least = ("definition", "unit", "chance")
    _console.print_table([*header, "definition"], rows, title=title, least=least)


def _remarks(scores: dict[str, Any]) -> str:
    from sbirctl.retrieval.provenance import Provenance

    known = Provenance.from_json(scores.get("provenance", {}))
    return "".join(f"; {text}" for text in (known.leak, known.after_model) if text)


def _check(values: dict[str, float | None], limits: dict[str, float]) -> None:
    low = {n: values[n] for n, limit in limits.items() if not (values[n] or 0.0) >= limit}
    if low:
        shown = ", ".join(f"{n} is {v if v is None else round(v, 4)}" for n, v in low.items())
        asked = ", ".join(f"{n} >= {limits[n]:g}" for n in low)
        raise SbirctlError(f"Too low: {shown}.", f"Asked for: {asked}.")
