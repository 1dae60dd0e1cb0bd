"""`sbirctl reproduce`: a paper's tables and figures made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sbirctl.cli import _console
from sbirctl.core.errors import MissingError, UsageError

if TYPE_CHECKING:
    from sbirctl.reproduce.cost import Cost, TrainingRow
    from sbirctl.reproduce.reproduction import Outcome

panel = "Pictures and tables"
order = 5

_COUNTS = ("classes", "sketches", "photos", "queries", "gallery", "images")


def _papers(incomplete: str) -> list[str]:
    from sbirctl.reproduce.exhibits import papers

    return [name for name in papers() if name.startswith(incomplete)]


def command(
    paper: Annotated[
        str | None,
        typer.Argument(
            metavar="PAPER", help="A model with a paper to reproduce.", autocompletion=_papers
        ),
    ] = None,
    exhibits: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE|FIGURE", help="As `2` or `figure-4`. [default: all]", show_default=False
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
        Literal["md", "latex", "csv", "json"],
        typer.Option("--format", help="Of the tables on stdout; files of all are kept."),
    ] = "md",
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
) -> None:
    """Make a paper's tables and figures again, ours beside the published figures.

    What is there is used, what is missing is trained, once for all tables that share it; a stopped
    call is continued by the same command.
    """
    from sbirctl.reproduce import reproduction

    if measured and not dry_run:
        raise UsageError("--measure belongs to --dry-run.", "Add --dry-run.")
    if paper is None or listed:
        _console.print_table(
            ("paper", "exhibit", "kind", "title"), reproduction.listed(paper or "")
        )
        return
    request = reproduction.Request(paper, exhibits or (), small, seeds)
    if dry_run:
        planned = reproduction.planned(
            request, device=device, measured=measured, report=_console.reporter()
        )
        if form == "json":
            _console.print_json(planned.to_json())
        else:
            _print_plan(planned)
        return
    from sbirctl.reproduce.runner import Machine

    machine = Machine(device, workers, threads)
    outcome = reproduction.reproduce(request, machine, report=_console.reporter())
    _print(outcome, form)
    _console.reporter().note(f"The page: {outcome.page}")
    if outcome.lacks:
        raise MissingError(
            f"Some of it is left out: {'; '.join(outcome.lacks)}.",
            f"`sbirctl reproduce {paper} --dry-run` says what to prepare.",
        )


def _print(outcome: Outcome, form: str) -> None:
    """Tables in the format asked for, and the paths of pictures."""
    from sbirctl.reproduce.layout import FORMATS

    if form == "json":
        exhibits = [
            {
                "id": made.id,
                "title": made.title,
                "table": None if made.table is None else made.table.to_json(),
                "pictures": [str(outcome.folder / name) for name, _ in made.pictures],
            }
            for made in outcome.made
        ]
        _console.print_json({"schema": 1, "page": str(outcome.page), "exhibits": exhibits})
        return
    for made in outcome.made:
        if made.table is not None:
            print(FORMATS[form](made.table))
        for name, _ in made.pictures:
            _console.print_path(outcome.folder / name)


def _print_plan(plan: Cost) -> None:
    """What is there, what will be trained, and the sums."""
    from sbirctl.core.files import human_bytes

    data = [(row.name, row.state, row.sketches or "", row.photos or "") for row in plan.data]
    _console.print_table(("data set", "state", "sketches", "photos"), data, title="Data sets")
    _console.print_table(("weights",), [(text,) for text in plan.weights], title="Weights")
    header = ("training", "task", "with", "state", *_COUNTS, "hours")
    rows = [
        (row.label, row.task, row.arguments, row.state, *_counts(row), _hours(row.hours))
        for row in plan.trainings
    ]
    _console.print_table(header, rows, title="Trainings")
    _console.print_table(
        ("what", "how much"),
        [
            ("trainings left", len(plan.left)),
            ("time", _time(plan)),
            ("disk", f"{human_bytes(plan.bytes)} of {human_bytes(plan.free)} free"),
        ],
        title="In all",
    )


def _time(plan: Cost) -> str:
    parts = [f"at most {plan.hours:.2f} hours"] if plan.hours or not plan.unknown else []
    parts += [f"{plan.unknown} trainings of unknown length"] if plan.unknown else []
    return " and ".join(parts)


def _counts(row: TrainingRow) -> tuple[object, ...]:
    return tuple(row.work.counts()[name] if row.work else "" for name in _COUNTS)


def _hours(hours: float | None) -> str:
    return "" if hours is None else f"{hours:.2f}"
