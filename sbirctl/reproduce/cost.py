"""What a plan will cost: data sets, weights, and for each training images, hours and disk."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.core.home import home
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets.published.catalogue import KINDS, catalogue
from sbirctl.reproduce.exhibits import Exhibit
from sbirctl.reproduce.plan import Planner, Training
from sbirctl.reproduce.small import PER_CLASS, Place
from sbirctl.reproduce.workload import Workload, workload

_SECONDS = 50.0  # of all measurements together; the last step may take longer
_SIZE = 256  # pixels: side of a store's images where nothing else is said


@dataclass(frozen=True)
class DataRow:
    """A data set.

    Attributes:
        name: of the card. state: prepared, or what is missing and what to type.
        sketches, photos: that are there, or are published; 0 where not known.
        bytes: that are still to be written.
    """

    name: str
    state: str
    sketches: int = 0
    photos: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class TrainingRow:
    """One run.

    Attributes:
        label, task: what it is. arguments, command: what makes it, for the shell.
        state: finished, begun, new, no data, or why the data do not serve.
        work: how much it is, None without the data.
        hours: at most, None without the data or a rate.
    """

    label: str
    task: str
    arguments: str
    command: str
    state: str
    work: Workload | None
    hours: float | None


@dataclass(frozen=True)
class Cost:
    """The whole plan; `free` are the bytes left on the disk of the home folder."""

    data: Sequence[DataRow]
    weights: Sequence[str]
    trainings: Sequence[TrainingRow]
    free: int

    @property
    def left(self) -> list[TrainingRow]:
        """What is still to be trained."""
        return [row for row in self.trainings if row.state != "finished"]

    @property
    def hours(self) -> float:
        """Of what is left, as far as it is known."""
        return sum(row.hours or 0.0 for row in self.left)

    @property
    def unknown(self) -> int:
        """Trainings left whose hours are not known."""
        return sum(row.hours is None for row in self.left)

    @property
    def bytes(self) -> int:
        """That are still to be written, as far as it is known."""
        runs = sum(row.work.bytes for row in self.left if row.work is not None)
        return runs + sum(row.bytes for row in self.data)

    def to_json(self) -> dict[str, object]:
        """Plain values, with the schema's number."""
        trainings = [
            {
                "label": row.label,
                "task": row.task,
                "command": row.command,
                "state": row.state,
                "hours": row.hours,
                **(row.work.counts() if row.work else {}),
            }
            for row in self.trainings
        ]
        return {
            "schema": 1,
            "data": [asdict(row) for row in self.data],
            "weights": list(self.weights),
            "trainings": trainings,
            "hours": self.hours,
            "trainings_of_unknown_length": self.unknown,
            "bytes": self.bytes,
            "free": self.free,
        }


def cost(
    planner: Planner,
    exhibits: Sequence[Exhibit],
    *,
    device: str = "auto",
    measured: bool = False,
    report: Reporter = SILENT,
) -> Cost:
    """What is needed for some exhibits; nothing is made.

    Args:
        device: where it would be trained.
        measured: time some steps where no earlier run says how long they take; about a minute.
    """
    from sbirctl.core.device import pick_device
    from sbirctl.reproduce.step_rate import known_rates

    kind = pick_device(device).type
    trainings = planner.trainings(exhibits)
    opened = [_workload(training) for training in trainings]
    works = [work for work, _ in opened]
    rates = known_rates(kind)
    if measured:
        rates |= _measure([w for w in works if w and w.kind not in rates], kind, report)
    return Cost(
        [_data(place, planner) for place in planner.places(exhibits)],
        _weights(planner, trainings),
        [_row(t, *found, rates) for t, found in zip(trainings, opened, strict=True)],
        shutil.disk_usage(_existing(home())).free,
    )


def _workload(training: Training) -> tuple[Workload | None, str]:
    """How much it is, and its state: without the data, what is wrong with them."""
    try:
        work = workload(training)
    except MissingError:
        return None, "no data"
    except MismatchError as error:
        return None, error.message
    return work, work.state


def _row(
    training: Training, work: Workload | None, state: str, rates: Mapping[str, float]
) -> TrainingRow:
    rate = rates.get(work.kind) if work else None
    hours = work.images / rate / 3600 if work and rate else None
    return TrainingRow(
        training.label,
        training.protocol.task,
        " ".join(training.arguments),
        training.command,
        state,
        work,
        hours,
    )


def _measure(works: Sequence[Workload], device: str, report: Reporter) -> dict[str, float]:
    from sbirctl.reproduce.step_rate import measure

    distinct = {work.kind: work for work in works}
    found = {}
    with report.bar("measuring steps", len(distinct)) as advance:
        for kind, work in distinct.items():
            rate = measure(work.config, work.part, device, _SECONDS / len(distinct))
            found[kind] = rate.images_per_second
            advance()
    return found


def _data(place: Place, planner: Planner) -> DataRow:
    from sbirctl.store.reader import Store

    edges = f" --edges {planner.edges}" if planner.edges else ""
    try:
        store = Store.open(place.store)
    except MissingError:
        if place.seed:
            return DataRow(
                place.name, f"will be drawn: {PER_CLASS} photos a class, seed {place.seed}"
            )
        return _to_prepare(
            place.name, f"not prepared: `sbirctl prepare {place.name}{edges}`", edges
        )
    counts = store.manifest["counts"][""]
    sketches, photos = counts.get("sketches", 0), counts.get("photos", 0)
    drawn = f"drawn in its place, seed {place.seed}" if place.seed else "prepared"
    if planner.edges and store.edges is None:
        more = f"{drawn}, without edge maps: `sbirctl prepare {place.name}{edges}`"
        return DataRow(place.name, more, sketches, photos, photos * store.size**2)
    return DataRow(place.name, drawn, sketches, photos)


def _to_prepare(name: str, state: str, edges: str) -> DataRow:
    totals = catalogue(name).totals(*KINDS)
    sketches = totals.pop("sketches", 0)
    photos = sum(totals.values())
    channels = 4 if edges else 3
    return DataRow(name, state, sketches, photos, _SIZE**2 * (sketches + channels * photos))


def _weights(planner: Planner, trainings: Sequence[Training]) -> list[str]:
    """Whose starting weights the trainings need."""
    if all(training.weights == "none" for training in trainings):
        return ["none: random values"] if trainings else []
    return [f"{w.name}, {w.source}; {w.licence}" for w in planner.paper.card.weights]


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
