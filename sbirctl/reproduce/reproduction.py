"""`reproduce`: what there is, what it costs, and making it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sbirctl.core.files import lock
from sbirctl.core.home import datasets_dir, home, home_at
from sbirctl.core.progress import SILENT, Reporter, going_on
from sbirctl.reproduce.cost import Cost, cost
from sbirctl.reproduce.counts import counts_table
from sbirctl.reproduce.exhibits import Exhibit, load_paper, papers
from sbirctl.reproduce.page import NAME as PAGE
from sbirctl.reproduce.page import write_page
from sbirctl.reproduce.plan import Planner
from sbirctl.reproduce.results import MadeExhibit, all_made, fingerprint, read_made, write_made
from sbirctl.reproduce.runner import Machine, Runner
from sbirctl.reproduce.small import PER_CLASS, Stores, paper_datasets


@dataclass(frozen=True)
class ReproduceRequest:
    """What is asked for.

    Attributes:
        paper: the model.
        exhibits: tables and figures as typed, () for all.
        small: scaled down.
        seeds: trainings of each row.
    """

    paper: str
    exhibits: Sequence[str] = ()
    small: bool = False
    seeds: int = 1

    @property
    def home(self) -> Path:
        """The home folder of data sets and runs; small ones have one of their own."""
        return home() / "reproduce" / "small" if self.small else home()

    @property
    def folder(self) -> Path:
        """Where tables, pictures and the page go."""
        place = self.home if self.small else home() / "reproduce"
        return place / self.paper


def listed(paper: str = "") -> list[tuple[str, str, str, str]]:
    """(paper, exhibit, kind, title) of one paper, or of all.

    Raises:
        UsageError: there is no such paper.
    """
    return [
        (name, exhibit.id, exhibit.kind, exhibit.title)
        for name in ([paper] if paper else papers())
        for exhibit in load_paper(name).exhibits
    ]


def planned(
    request: ReproduceRequest,
    *,
    device: str = "auto",
    measured: bool = False,
    report: Reporter = SILENT,
) -> Cost:
    """What a request needs; nothing is made.

    Args:
        device, measured: see `cost`.

    Raises:
        UsageError: there is no such paper, table or figure.
    """
    planner = planner_of(request)
    exhibits = planner.paper.choose(request.exhibits)
    with home_at(request.home):
        return cost(planner, exhibits, device=device, measured=measured, report=report)


def planner_of(request: ReproduceRequest) -> Planner:
    """The planner of a request.

    Raises:
        UsageError: there is no such paper.
    """
    paper = load_paper(request.paper)
    small = request.home if request.small else None
    stores = Stores(paper_datasets(paper), datasets_dir(), small)
    return Planner(paper, stores, seeds=request.seeds)


@dataclass(frozen=True)
class Reproduction:
    """What a call made or found.

    Attributes:
        made: the exhibits asked for, in the paper's order.
        page: of the paper, with all that was ever made of it.
        folder: where tables and pictures lie.
        lacks: what was missing, so that some cells or pictures are.
    """

    made: Sequence[MadeExhibit]
    page: Path
    folder: Path
    lacks: Sequence[str] = ()


def reproduce(
    request: ReproduceRequest, machine: Machine = Machine(), *, report: Reporter = SILENT
) -> Reproduction:
    """Make tables and figures; what is there is found, a stopped call goes on.

    Args:
        machine: how it is computed.

    Raises:
        UsageError: there is no such paper, table or figure.
        MissingError: none of the data is there, or the starting weights are not.
    """
    planner = planner_of(request)
    exhibits = planner.paper.choose(request.exhibits)
    folder = request.folder
    with home_at(request.home):
        runner = Runner(planner, folder, machine, report)
        found = {e.id: read_made(e, fingerprint(e, planner), folder) for e in exhibits}
        missing = [exhibit for exhibit in exhibits if found[exhibit.id] is None]
        if missing:
            runner.prepare(planner.places(missing))
            folder.mkdir(parents=True, exist_ok=True)
            with lock(folder / ".lock", busy=f"{request.paper} is being reproduced"):
                for exhibit in missing:
                    found[exhibit.id] = _make(exhibit, planner, runner, folder)
        else:
            report.note("Everything is there already.")
        page = folder / PAGE
        if missing or not page.is_file():
            made = all_made(planner.paper.exhibits, folder)
            write_page(folder, planner.paper.card, made, _warnings(planner, made))
    return Reproduction(
        [m for m in found.values() if m], page, folder, runner.lacks(planner.places(exhibits))
    )


def _make(exhibit: Exhibit, planner: Planner, runner: Runner, folder: Path) -> MadeExhibit:
    """One exhibit, kept in the folder."""
    runner.report.note(f"{exhibit.name}: {exhibit.title}")
    table, pictures, lacks = None, [], runner.lacks(planner.places([exhibit]))
    with going_on(f"while making {exhibit.name}"):
        if exhibit.kind == "table":
            from sbirctl.reproduce.tables import make_table

            table = make_table(exhibit, planner, runner)
        elif exhibit.kind == "counts":
            table = counts_table(exhibit, planner.paper)
        else:
            from sbirctl.reproduce.figures import make_figure

            pictures = make_figure(exhibit, planner, runner, folder)
    made = MadeExhibit(
        exhibit.id,
        exhibit.name,
        exhibit.title,
        table,
        tuple((path.name, text) for path, text in pictures),
        tuple(lacks) if table is None else (),  # the cells of a table have theirs
        tuple(str(run) for run in runner.runs_of(planner.sources(exhibit))),
        whole=not lacks,
    )
    # Drawing a data set changes the fingerprint: it is that of now.
    write_made(exhibit, made, fingerprint(exhibit, planner), folder)
    return made


def _warnings(planner: Planner, made: Sequence[MadeExhibit]) -> list[str]:
    """What stands above a page of small figures."""
    if not planner.small:
        return []
    shown = {one.id for one in made}
    places = planner.places(e for e in planner.paper.exhibits if e.id in shown)
    drawn = dict.fromkeys(p.name for p in places if p.seed)
    taken = dict.fromkeys(p.name for p in places if not p.seed)
    told = [
        "Made with --small: small networks with random weights, few epochs and little data. No "
        "figure here can be compared with the paper's."
    ]
    if drawn:
        told.append(
            f"Drawn by the program in the place of the data set: {', '.join(drawn)} "
            f"({PER_CLASS} photos and as many sketches of each of 28 classes)."
        )
    if taken:
        told.append(f"As prepared here: {', '.join(taken)}.")
    return told
