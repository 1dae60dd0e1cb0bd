"""Presets of a card: the settings behind each row that a paper prints of its own system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sbirctl.core.config import Layer, put

PAPER = "paper"
"""The preset that every card with figures of its own has; the others are what differs from it."""
MACHINE = ("preset", "accumulate", "precision")
"""Settings of every model that say nothing about its figures (kind "machine")."""
_NONE = object()


@dataclass(frozen=True)
class Preset:
    """What a model is trained with for one row, every value stated.

    Attributes:
        name: as `--set preset=NAME` has it.
        method: {dotted key: value} of all settings that the figures depend on.
        recipe: the same of those that say how it is trained.
        deviation: what of both the card states for this preset, beside the preset `paper`.
        edges: method of the edge maps, "" where none are read.
    """

    name: str
    method: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    deviation: Mapping[str, Any] = field(default_factory=dict)
    edges: str = ""

    @property
    def settings(self) -> Layer:
        """All values, nested as `core.config.resolve` takes them."""
        return nested({**self.method, **self.recipe})

    @property
    def is_paper(self) -> bool:
        """Whether it makes the paper's own final figures."""
        return self.name == PAPER

    def other_method(self, given: Mapping[str, object]) -> dict[str, object]:
        """What else the figures of a run depend on: {key: its value, None for not recorded}.

        A setting that the preset does not state counts as one of the method, unless it is the
        machine's.

        Args:
            given: the settings of the run, nested.
        """
        ours = flat(given)
        differing = {k: ours.get(k) for k, v in self.method.items() if ours.get(k, _NONE) != v}
        stated = {*self.method, *self.recipe, *MACHINE}
        return differing | {key: value for key, value in ours.items() if key not in stated}

    def other_recipe(self, given: Mapping[str, object]) -> dict[str, object]:
        """{key: value} of a run's recipe where it differs."""
        ours = flat(given)
        return {k: ours[k] for k, v in self.recipe.items() if k in ours and ours[k] != v}


def parse_presets(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Preset]:
    """The presets of a card's `[presets.NAME]` tables.

    Raises:
        LookupError, TypeError, ValueError: a key is unknown, or `paper` is not among them.
    """
    found: dict[str, Preset] = {}
    if not data:
        return found
    paper = _preset(PAPER, data[PAPER], Preset(PAPER))
    for name, given in data.items():
        found[name] = paper if name == PAPER else _preset(name, given, paper)
    return found


def flat(settings: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested settings under dotted keys; tuples become lists, empty groups go."""
    found: dict[str, object] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = list(value) if isinstance(value, tuple) else value
    return found


def nested(settings: Mapping[str, Any]) -> Layer:
    """The opposite of `flat`."""
    found: Layer = {}
    for key, value in settings.items():
        put(found, key.split("."), value)
    return found


def _preset(name: str, given: Mapping[str, Any], paper: Preset) -> Preset:
    own = dict(given)
    method, recipe = flat(own.pop("method", {})), flat(own.pop("recipe", {}))
    edges = own.pop("edges", paper.edges)
    if own:
        raise ValueError(f"preset {name} has an unknown key {next(iter(own))!r}")
    if name != PAPER:
        unknown = [k for k in method if k not in paper.method]
        unknown += [k for k in recipe if k not in paper.recipe]
        if unknown:
            raise ValueError(f"preset {name} sets {unknown[0]!r}, which {PAPER} does not state")
    return Preset(
        name,
        {**paper.method, **method},
        {**paper.recipe, **recipe},
        {**method, **recipe},
        edges,
    )
