"""Training and embedding what a plan needs, each once; what is there is found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sbirctl.core.errors import MissingError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.reproduce.configuration import flags, settings_file
from sbirctl.reproduce.plan import ExhibitSource, Planner, Training
from sbirctl.reproduce.small import PER_CLASS, SIZE, Place


@dataclass(frozen=True)
class Machine:
    """How it is computed: see `training.config.Execution`."""

    device: str = "auto"
    workers: int | None = None
    threads: int | None = None


class Runner:
    """Makes runs and embeddings, in this process.

    Args:
        planner: what is made.
        folder: where settings files go.
        machine: how it is computed.
    """

    def __init__(
        self,
        planner: Planner,
        folder: Path,
        machine: Machine = Machine(),
        report: Reporter = SILENT,
    ) -> None:
        self.planner, self.folder, self.machine, self.report = planner, folder, machine, report
        self._runs: dict[str, Path] = {}
        self._files: dict[str, Path] = {}
        self._lacking: dict[str, str] = {}

    def prepare(self, places: Iterable[Place]) -> None:
        """Draw the data sets that stand in for others; note what is lacking of the others."""
        for place in places:
            if place.seed:
                self._draw(place)
            if lacking := self._lack(place):
                self._lacking[place.store] = lacking

    def lacking(self, source: ExhibitSource) -> str:
        """What is missing to make these embeddings, "" for nothing."""
        return "; ".join(self._of(source.training.protocol.datasets))

    def lacks(self, places: Iterable[Place]) -> Sequence[str]:
        """What is missing of some data sets."""
        return self._of(place.store for place in places)

    def _of(self, stores: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(self._lacking[s] for s in stores if s in self._lacking))

    def run(self, training: Training) -> Path:
        """The folder of the finished run; what it begins with is trained before it."""
        from sbirctl.pipeline.train import train

        if training.key not in self._runs:
            init = str(self.run(training.init)) if training.init else ""
            self.report.note(training.label)
            self._runs[training.key] = train(
                training.model,
                config=settings_file(training, self.folder / "settings"),
                device=self.machine.device,
                workers=self.machine.workers,
                threads=self.machine.threads,
                report=self.report,
                **flags(training, init),
            )
        return self._runs[training.key]

    def embeddings(self, source: ExhibitSource) -> Path:
        """The file of a run's embeddings."""
        from sbirctl.pipeline.embed import embed

        if source.key not in self._files:
            run = self.run(source.training)
            self._files[source.key] = embed(
                run,
                assignments=[f"{key}={value}" for key, value in source.settings.items()],
                device=self.machine.device,
                workers=self.machine.workers,
                out=run / f"embeddings-{source.name}.h5" if source.name else None,
                report=self.report,
            )
        return self._files[source.key]

    def runs_of(self, sources: Iterable[ExhibitSource]) -> list[Path]:
        """The folders of the runs behind some embeddings, as far as they could be made."""
        return [self.run(source.training) for source in sources if not self.lacking(source)]

    def _draw(self, place: Place) -> None:
        from sbirctl.pipeline.edges import prepare_edges
        from sbirctl.pipeline.prepare import prepare
        from sbirctl.store.reader import Store

        folder = prepare(
            "demo",
            {},
            name=Path(place.store).name,
            options={"seed": place.seed, "per_class": PER_CLASS},
            settings={"size": SIZE},
            report=self.report,
        )
        assert folder is not None
        if self.planner.edges and Store.open(folder).edges is None:
            prepare_edges(folder, method=self.planner.edges, report=self.report)

    def _lack(self, place: Place) -> str:
        from sbirctl.store.reader import Store

        try:
            store = Store.open(place.store)
            if self.planner.edges:
                store.require_edges()
        except MissingError as error:
            return error.message.removesuffix(".")
        return ""
