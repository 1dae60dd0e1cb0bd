"""How `--small` scales a plan: a small network, few epochs, and the data at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sbirctl.core.errors import SbirctlError
from sbirctl.core.seeds import seed_for
from sbirctl.reproduce.exhibits import Protocol, ReproducedPaper, TrainedSystem

MOST = 10_000  # images of a data set that is taken as it is
PER_CLASS = 12  # photos, and as many sketches, of a class that is drawn
SIZE = 64  # pixels
# Options that are numbers of the published data sets, which no other one has.
_OWN_NUMBERS = ("gallery", "min_photos")
_LISTS = ("demo/unseen7", "demo/unseen10")


@dataclass(frozen=True)
class Place:
    """Where a data set lies, or what is drawn in its place.

    Attributes:
        name: of the card.
        store: name or folder of the prepared data set.
        seed: of drawing, 0 for one that is not drawn.
    """

    name: str
    store: str
    seed: int = 0


@dataclass(frozen=True)
class Stores:
    """The paper's data sets as they are here.

    Attributes:
        names: of the card.
        prepared: the folder of the prepared data sets.
        small: the home folder of what is drawn; None for the published data sets themselves.
    """

    names: Sequence[str]
    prepared: Path
    small: Path | None = None

    def places(self, datasets: Sequence[str]) -> tuple[Place, ...]:
        """Where the data sets of one protocol are.

        Where one of two has to be drawn both are: else they would share hardly a class.
        """
        if self.small is None:
            return tuple(Place(name, name) for name in datasets)
        if all(name in self.at_hand for name in datasets):
            return tuple(Place(name, str(self.prepared / name)) for name in datasets)
        folder = self.small / "datasets"
        return tuple(
            Place(name, str(folder / f"{name}-drawn"), 1 + seed_for("drawn", name) % 10_000)
            for name in datasets
        )

    @cached_property
    def at_hand(self) -> frozenset[str]:
        """Those that are prepared and small enough."""
        return frozenset(name for name in self.names if _is_small(self.prepared / name))


def paper_datasets(paper: ReproducedPaper) -> tuple[str, ...]:
    """All data sets of a card's tables, sorted."""
    columns = [column for table in paper.card.tables for column in table.columns]
    named = {name for c in columns for name in (c.dataset, c.trained_on) if name}
    return tuple(sorted(named))


def scaled_protocol(protocol: Protocol, stores: Stores, paper: ReproducedPaper) -> Protocol:
    """The protocol on the data at hand; a class list becomes one that the drawn data set has."""
    options = {k: v for k, v in protocol.options.items() if k not in _OWN_NUMBERS}
    split = protocol.split
    if split and stores.places(protocol.datasets)[0].seed:
        split = _LISTS[_splits(paper, protocol.dataset).index(split) % len(_LISTS)]
    return replace(protocol, split=split, options=options)


def scaled_settings(paper: ReproducedPaper, system: TrainedSystem) -> dict[str, Any]:
    """The settings of `[small]`, those of its preset, and on top the system's own."""
    own = paper.small.get("presets", {}).get(system.preset, {})
    return {**paper.small["settings"], **own, **system.settings}


def _splits(paper: ReproducedPaper, dataset: str) -> list[str]:
    """The lists of a data set that the paper has, in its order."""
    columns = (column for table in paper.card.tables for column in table.columns)
    return list(dict.fromkeys(c.split for c in columns if c.dataset == dataset and "/" in c.split))


def _is_small(folder: Path) -> bool:
    from sbirctl.store.reader import Store

    try:
        counts = Store.open(folder).manifest["counts"][""]
    except (SbirctlError, LookupError):
        return False
    return int(counts.get("sketches", 0) + counts.get("photos", 0)) <= MOST
