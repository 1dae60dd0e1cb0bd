"""`sbirctl evaluate`: how well a ranking is, and by which definition."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing
from sbirctl.cli._scores import table_of
from sbirctl.cli.embed import LeaksOption, TestDatasetOption, TestSplitOption
from sbirctl.core.errors import SbirctlError, UsageError

if TYPE_CHECKING:
    from sbirctl.retrieval.definitions import Definition

panel = "Pipeline"
order = 40

MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        "-m",
        metavar="METRIC",
        help="Metric to print, as map@all or prec@100; may be repeated. `sbirctl metrics` lists "
        "them.",
        autocompletion=_names.metrics,
    ),
]
DefinitionOption = Annotated[
    str,
    typer.Option(
        "--definition",
        "-d",
        metavar="NAME",
        help="Whose definition of the metrics to use; `sbirctl metrics` lists them.",
        autocompletion=_names.definitions,
    ),
]
PartsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--part",
        metavar="PART=CHOICE",
        help="Change one part of the definition; may be repeated.",
        autocompletion=_names.parts,
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
    str,
    typer.Option(
        "--device",
        help="Where to rank: cpu, cuda, cuda:1 or mps.",
        autocompletion=_names.devices,
    ),
]


def command(
    files: Annotated[
        list[str] | None,
        _console.runs_argument(
            "Embeddings or scores of pairs (HDF5, NPZ), or runs; - reads a path from "
            "stdin; with --qrels a TREC ranking."
        ),
    ] = None,
    metric: MetricOption = None,
    definition: DefinitionOption = "standard",
    assignments: PartsOption = None,
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
            autocompletion=_names.limits,
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
    dataset: TestDatasetOption = "",
    split: TestSplitOption = "",
    leaks: LeaksOption = "refuse",
    label: _console.LabelOption = None,
    binary: BinaryOption = None,
    bits: BitsOption = 64,
    memory: MemoryOption = "auto",
    device: RankDeviceOption = "cpu",
) -> Listing:
    """Rank the gallery for every query, exactly, and print the metrics.

    Of several files or runs, each is measured by itself; `compare` tests whether one is better.
    """
    from sbirctl.pipeline.evaluate_all import evaluate_all
    from sbirctl.pipeline.scores import EvaluateRequest
    from sbirctl.retrieval.evaluation import Options

    limits = _limits(minimum or [])
    wanted = [*(metric or []), *limits]
    if limits and not metric:
        from sbirctl.retrieval.metrics import DEFAULT

        wanted = [*DEFAULT, *limits]
    request = EvaluateRequest(
        metrics=list(dict.fromkeys(_canonical(name) for name in wanted)),
        definition=definition_for(definition, assignments or [], binary),
        options=Options.typed(binary, bits, memory, device),
        interval=unit_for(interval, "--ci") if interval else "",
        per_class=per_class,
        per_query=per_query,
        trec=trec,
        depth=depth,
    )
    places = [_console.input_path(file) for file in files or []]
    found = evaluate_all(
        places,
        request,
        qrels=qrels,
        labels=label or [],
        dataset=dataset,
        split=split,
        leaks=leaks,
        report=_console.reporter(),
    )
    failure = _below({one.title: one.scores["metrics"] for one in found}, limits)
    table = table_of([(one.title, one.scores) for one in found])
    rows = [{"run": one.title, "file": one.path, **one.scores} for one in found]
    fields = rows[0] if len(rows) == 1 else {"rows": rows}
    return Listing(fields, (table,), schema=found[0].scores["schema"], failure=failure)


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


def _below(
    found: Mapping[str, Mapping[str, float | None]], limits: Mapping[str, float]
) -> SbirctlError | None:
    """What to say where a figure of some run is lower than asked."""
    low = []
    for title, values in found.items():
        of = f" of {title}" if len(found) > 1 else ""
        for name, limit in limits.items():
            value = values[name]
            if not (value or 0.0) >= limit:
                low.append(f"{name}{of} is {value if value is None else round(value, 4)}")
    if not low:
        return None
    asked = ", ".join(f"{name} >= {limit:g}" for name, limit in limits.items())
    return SbirctlError(f"Too low: {', '.join(low)}.", f"Asked for: {asked}.")
