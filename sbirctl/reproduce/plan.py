"""What a paper's exhibits need: trainings, each only once, and embeddings of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sbirctl.core.files import digest_json
from sbirctl.models import flat
from sbirctl.reproduce.exhibits import (
    Exhibit,
    Protocol,
    ReproducedPaper,
    TrainedSystem,
    card_system,
    column_protocol,
    table_system,
)
from sbirctl.reproduce.small import Place, Stores, scaled_protocol, scaled_settings

# Trained to the end on all seen classes, the unseen ones only looked at: what curves show.
_WATCHED = {"val": "none"}


@dataclass(frozen=True)
class Training:
    """One run: the arguments of `sbirctl train`.

    Attributes:
        model: of the registry.
        system: the preset and what is changed of it.
        protocol: data, task and split, as they are here.
        seed, weights, refit, monitor: see `training.config.TrainingConfig`.
        init, from_stage: the training it begins with, and the stage that is next.
        label: for people.
    """

    model: str
    system: TrainedSystem
    protocol: Protocol
    seed: int = 0
    weights: str = "pretrained"
    refit: bool = False
    monitor: bool = False
    init: Training | None = None
    from_stage: str = ""
    label: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """Settings and options as a file for `--config`."""
        return {
            "preset": self.system.preset,
            **self.system.settings,
            **self.protocol.options,
        }

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of `sbirctl train`, besides model, data and task; what it begins with is left out."""
        words = ["--split", self.protocol.split] if self.protocol.split else []
        words += ["--seed", str(self.seed)] if self.seed else []
        words += ["--weights", self.weights] if self.weights != "pretrained" else []
        words += ["--refit"] if self.refit else []
        words += ["--monitor", "unseen"] if self.monitor else []
        words += ["--from-stage", self.from_stage] if self.from_stage else []
        for key, value in flat(self.settings).items():
            words += ["--set", f"{key}={_typed(value)}"]
        return tuple(words)

    @property
    def command(self) -> str:
        """For the shell."""
        place = self.protocol
        words = ["sbirctl", "train", self.model, "--dataset", place.dataset, "--task", place.task]
        words += ["--target", place.target] if place.target else []
        return shlex.join([*words, *self.arguments])

    @property
    def key(self) -> str:
        """Equal for trainings that are one."""
        first = self.init.key if self.init else ""
        place = (*self.protocol.datasets, self.protocol.task, self.protocol.split)
        how = (self.seed, self.weights, self.refit, self.monitor, self.from_stage)
        return digest_json([self.model, self.settings, place, how, first])


@dataclass(frozen=True)
class ExhibitSource:
    """Embeddings of a training's test side.

    Attributes:
        training: whose.
        name, settings: what is embedded otherwise than it was trained for, and its name.
    """

    training: Training
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Equal for embeddings that are one."""
        return digest_json([self.training.key, dict(self.settings)])


class Planner:
    """Makes trainings of a paper's systems and protocols.

    Args:
        paper: whose exhibits.
        stores: the data sets as they are here; whether they are small ones decides the scale.
        seeds: how many seeds each row of a table is trained with.
    """

    def __init__(self, paper: ReproducedPaper, stores: Stores, *, seeds: int = 1) -> None:
        self.paper, self.stores, self.seeds = paper, stores, seeds
        self.small = stores.small is not None

    @property
    def edges(self) -> str:
        """Method of the edge maps that the data sets need, "" for none."""
        usual = next(iter(self.paper.card.presets.values())).edges
        return str(self.paper.small["edges"]) if usual and self.small else usual

    def source(
        self, system: TrainedSystem, protocol: Protocol, seed: int = 0, *, watched: bool = False
    ) -> ExhibitSource:
        """The embeddings of a system under a protocol of the card.

        Args:
            watched: trained with the unseen figures logged after every epoch.
        """
        other = self.paper.embedded.get(system.preset)
        if other is not None:
            whole = card_system(self.paper.card, other["preset"])
            return ExhibitSource(
                self.training(whole, protocol, seed), system.preset, other["settings"]
            )
        return ExhibitSource(self.training(system, protocol, seed, watched=watched))

    def training(
        self, system: TrainedSystem, protocol: Protocol, seed: int, *, watched: bool = False
    ) -> Training:
        """The run of a system; what it begins with is in it."""
        paper = self.paper
        recipe = paper.card.presets[system.preset].recipe
        more = _WATCHED if watched else {}
        training = Training(
            paper.card.name,
            self._here(replace(system, settings={**system.settings, **more})),
            self._placed(protocol),
            seed,
            str(paper.small.get("weights", "none")) if self.small else "pretrained",
            refit=recipe["val"] != "none" and not watched,
            monitor=watched,
            label=f"{system.label or system.preset} on {protocol.place}"
            + (f", seed {seed}" if seed else ""),
        )
        first = paper.first_stage
        if not first:
            return training
        own = TrainedSystem(first["preset"], first["settings"])
        begun = replace(training, system=self._here(own), label=f"first stage on {protocol.place}")
        return replace(training, init=begun, from_stage=first["then"])

    def _placed(self, protocol: Protocol) -> Protocol:
        """The protocol on the data sets as they are here, by name or folder."""
        stores = [place.store for place in self.stores.places(protocol.datasets)]
        if self.small:
            protocol = scaled_protocol(protocol, self.stores, self.paper)
        return replace(protocol, dataset=stores[0], target=stores[1] if stores[1:] else "")

    def _here(self, system: TrainedSystem) -> TrainedSystem:
        """With the settings that the scale changes, and without those the preset has."""
        settings = dict(system.settings)
        if self.small:
            settings = scaled_settings(self.paper, system)
        preset = self.paper.card.presets[system.preset].settings
        return replace(system, settings={k: v for k, v in settings.items() if preset.get(k) != v})

    def table_sources(self, exhibit: Exhibit) -> dict[tuple[int, int], tuple[ExhibitSource, ...]]:
        """{(row, column): one entry a seed} of the cells that are made here.

        A column of a cost (minutes, parameters) is of the row's only training.
        """
        table = exhibit.table
        assert table is not None
        usual = next(c for c in table.columns if c.metric)
        found = {}
        for number, row in enumerate(table.rows):
            system = table_system(table, row)
            if system is None:
                continue
            for place, column in enumerate(table.columns):
                if isinstance(row[len(table.keys) + place], str):
                    continue
                protocol = column_protocol(table, column if column.metric else usual)
                found[number, place] = tuple(
                    self.source(system, protocol, seed) for seed in range(self.seeds)
                )
        return found

    def figure_sources(self, exhibit: Exhibit) -> tuple[tuple[ExhibitSource, ...], ...]:
        """For each protocol of a figure the embeddings that its picture shows, in order."""
        watched = exhibit.kind == "curves"
        systems = exhibit.systems
        if exhibit.kind == "sweep":
            key = exhibit.options["key"]
            systems = tuple(
                replace(s, settings={key: value}, label=f"{key}={value}")
                for s in systems
                for value in exhibit.options["values"]
            )
        return tuple(
            tuple(self.source(system, protocol, watched=watched) for system in systems)
            for protocol in exhibit.protocols
        )

    def sources(self, exhibit: Exhibit) -> list[ExhibitSource]:
        """All embeddings of an exhibit, each once."""
        if exhibit.table is not None:
            lists: Iterable[Sequence[ExhibitSource]] = self.table_sources(exhibit).values()
        else:
            lists = self.figure_sources(exhibit)
        return list({s.key: s for several in lists for s in several}.values())

    def trainings(self, exhibits: Iterable[Exhibit]) -> list[Training]:
        """All runs of some exhibits, each once and after what it begins with."""
        found: dict[str, Training] = {}
        for exhibit in exhibits:
            for source in self.sources(exhibit):
                if (first := source.training.init) is not None:
                    found.setdefault(first.key, first)
                found.setdefault(source.training.key, source.training)
        return list(found.values())

    def places(self, exhibits: Iterable[Exhibit]) -> list[Place]:
        """The data sets that some exhibits need, in the order of their first use."""
        protocols = (p for exhibit in exhibits for p in exhibit_protocols(exhibit))
        placed = (place for p in protocols for place in self.stores.places(p.datasets))
        return list(dict.fromkeys(placed))


def _typed(value: object) -> str:
    """A setting as it is typed after --set."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def exhibit_protocols(exhibit: Exhibit) -> tuple[Protocol, ...]:
    """Where an exhibit is measured, as the card has it."""
    table = exhibit.table
    if table is None:
        return exhibit.protocols
    return tuple(column_protocol(table, column) for column in table.columns if column.metric)
