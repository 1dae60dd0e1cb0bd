"""`sbirctl reproduce`: a paper's tables and figures made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Made, Table, Text, listing
from sbirctl.core.errors import MissingError, UsageError

if TYPE_CHECKING:
    from sbirctl.reproduce.cost import Cost, TrainingRow
    from sbirctl.reproduce.reproduction import Reproduction

panel = "Pictures and tables"
order = 5

_COUNTS = ("classes", "sketches", "photos", "queries", "gallery", "images")


def command(
    paper: Annotated[
        str | None,
        typer.Argument(
            metavar="PAPER", help="A model with a paper to reproduce.", autocompletion=_names.papers
        ),
    ] = None,
    exhibits: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE|FIGURE",
            help="As `2` or `figure-4`. [default: all]",
            show_default=False,
            autocompletion=_names.exhibits,
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List tables and figures.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is needed and how long it takes.")
    ] = False,
    measured: Annotated[
        bool,
        typer.Option(
            "--measure", help="With --dry-run: time steps, where no run tells, for a minute."
        ),
    ] = False,
    small: Annotated[
        bool,
        typer.Option(
            "--small", help="The same with a small network, few epochs and the data at hand."
        ),
    ] = False,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Train each row so often; mean and deviation.")
    ] = 1,
    form: Annotated[
        Literal["md", "latex", "csv"] | None,
        typer.Option(
            "--format",
            help="Print the tables so, instead of the page's path; files of all are kept.",
        ),
    ] = None,
    device: _console.DeviceOption = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=0, help="Threads that read pictures. [default: what suits the device]"
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="Threads of the processor to compute with."),
    ] = None,
) -> Listing | Made | Text:
    """Make a paper's tables and figures again, ours beside the published; prints the page's path.

    What is there is used, what is missing is trained, once for all tables that share it; a stopped
    call is continued by the same command.
    """
    from sbirctl.reproduce import reproduction

    if measured and not dry_run:
        raise UsageError("--measure belongs to --dry-run.", "Add --dry-run.")
    if paper is None or listed:
        header = ("paper", "exhibit", "kind", "title")
        rows = [dict(zip(header, row, strict=True)) for row in reproduction.listed(paper or "")]
        return listing(rows, header)
    request = reproduction.ReproduceRequest(paper, exhibits or (), small, seeds)
    if dry_run:
        planned = reproduction.planned(
            request, device=device, measured=measured, report=_console.reporter()
        )
        return Listing(planned.to_json(), _plan(planned))
    from sbirctl.reproduce.runner import Machine

    machine = Machine(device, workers, threads)
    outcome = reproduction.reproduce(request, machine, report=_console.reporter())
    return _output(outcome, form, _lack(outcome, paper))


def _lack(outcome: Reproduction, paper: str) -> MissingError | None:
    if not outcome.lacks:
        return None
    return MissingError(
        f"Some of it is left out: {'; '.join(outcome.lacks)}.",
        f"`sbirctl reproduce {paper} --dry-run` says what to prepare.",
    )


def _output(outcome: Reproduction, form: str | None, failure: MissingError | None) -> Made | Text:
    """The page, or the tables in the format asked for."""
    from sbirctl.reproduce.layout import FORMATS

    rows = [
        {
            "id": made.id,
            "title": made.title,
            "table": None if made.table is None else made.table.to_json(),
            "pictures": [outcome.folder / name for name, _ in made.pictures],
        }
        for made in outcome.made
    ]
    fields = {"path": outcome.page, "rows": rows}
    if form is None:
        return Made(fields, (outcome.page,), failure=failure)
    tables = [FORMATS[form](made.table) for made in outcome.made if made.table is not None]
    return Text(fields, "".join(f"{table}\n" for table in tables), failure=failure)


def _plan(plan: Cost) -> list[Table]:
    """What is there, what will be trained, and the sums."""
    from sbirctl.core.files import human_bytes

    data = [(row.name, row.state, row.sketches or "", row.photos or "") for row in plan.data]
    header = ("training", "task", "with", "state", *_COUNTS, "hours")
    rows = [
        (row.label, row.task, row.arguments, row.state, *_counts(row), _hours(row.hours))
        for row in plan.trainings
    ]
    sums = [
        ("trainings left", len(plan.left)),
        ("time", _time(plan)),
        ("disk", f"{human_bytes(plan.bytes)} of {human_bytes(plan.free)} free"),
    ]
    return [
        Table(("data set", "state", "sketches", "photos"), data, "Data sets"),
        Table(("weights",), [(text,) for text in plan.weights], "Weights"),
        Table(header, rows, "Trainings"),
        Table(("what", "how much"), sums, "In all"),
    ]


def _time(plan: Cost) -> str:
    parts = [f"at most {plan.hours:.2f} hours"] if plan.hours or not plan.unknown else []
    parts += [f"{plan.unknown} trainings of unknown length"] if plan.unknown else []
    return " and ".join(parts)


def _counts(row: TrainingRow) -> tuple[object, ...]:
    return tuple(row.work.counts()[name] if row.work else "" for name in _COUNTS)


def _hours(hours: float | None) -> str:
    return "" if hours is None else f"{hours:.2f}"
