"""A model's card: a TOML file beside the model's own that says what it is, read without torch."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sbirctl.core.config import Layer
from sbirctl.core.errors import CorruptError, MissingError, UsageError, nearest
from sbirctl.models._presets import Preset, parse_presets
from sbirctl.models._registry import MODELS
from sbirctl.models._tables import Table, parse_table

UNVERIFIED = "paper"
OWN = "own"
RUNGS: Mapping[str, str] = {
    "parity": "computes what the released code computes, compared by numbers",
    "checkpoint": "a released checkpoint scores its published figure",
    "retrained": "retrained on the full data, within the interval of the published figure",
    UNVERIFIED: "from the paper only (unverified)",
    OWN: "no paper's own system is claimed",
}


@dataclass(frozen=True)
class Trust:
    """How a model was compared with its paper, and what is missing of it.

    Attributes:
        rung: the highest reached, a key of `RUNGS`.
        evidence: the script or measurement, with its figures; "" where there is none.
        partial: what the paper has and the model has not, in words; "" for a whole model.
    """

    rung: str
    evidence: str = ""
    partial: str = ""

    @property
    def short(self) -> str:
        """A few words for lists."""
        name = "paper (unverified)" if self.rung == UNVERIFIED else self.rung
        return f"{name}, partial" if self.partial else name

    @property
    def line(self) -> str:
        """What is said before a training, "" where no paper's system is claimed."""
        if self.rung == OWN:
            return ""
        return ", ".join([RUNGS[self.rung], *(["partial"] if self.partial else [])])

    @property
    def remark(self) -> str:
        """What must stand beside figures of the model, "" for nothing."""
        found = [RUNGS[UNVERIFIED]] if self.rung == UNVERIFIED else []
        return ", ".join([*found, *(["partial"] if self.partial else [])])


@dataclass(frozen=True)
class Paper:
    """The publication a model comes from; code is repository and commit, "" for none.

    `figures` says how its figures came about: how many runs, which checkpoint; "" for nothing said.
    """

    title: str
    authors: str
    venue: str
    year: int
    url: str
    doi: str = ""
    arxiv: str = ""
    code: str = ""
    figures: str = ""


@dataclass(frozen=True)
class StartingWeights:
    """Weights a model can start from.

    Attributes:
        name, source, licence: in words.
        sha256: of the publisher's file, or its first digits; "" where they are not known.
    """

    name: str
    source: str
    licence: str
    sha256: str = ""


@dataclass(frozen=True)
class Card:
    """What `sbirctl models` and the documentation say about a model.

    Attributes:
        name: the model.
        summary: one sentence.
        input: what it takes.
        preprocessing: the model's half.
        parameters: number with the default settings, without what grows with the classes.
        dim: size of the embedding with the default settings.
        paper, trust, weights, tables: see their classes.
        presets: the settings of each row of the tables that the model can make, `paper` first.
        architecture: the network in words.
        deviations: where the model differs from the paper, or reads it in one of several ways.
    """

    name: str
    summary: str
    input: str
    preprocessing: str
    parameters: int
    dim: int
    paper: Paper
    trust: Trust
    weights: tuple[StartingWeights, ...]
    tables: tuple[Table, ...] = ()
    presets: Mapping[str, Preset] = field(default_factory=dict)
    architecture: str = ""
    deviations: tuple[str, ...] = ()


def load_card(name: str) -> Card:
    """The card of a registered model.

    Raises:
        UsageError: there is no such model.
        CorruptError: its card is missing or incomplete.
    """
    if name not in MODELS:
        raise UsageError(f"There is no model {name!r}.", nearest(name, MODELS.names()))
    path = card_file(name)
    if not path.is_file() and name not in MODELS.outside.all() and _in_one_file(name):
        return _bare_card(name)
    try:
        return parse_card(name, tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise CorruptError(f"The model {name} has no card {path.name}.") from error
    except (LookupError, TypeError, ValueError) as error:
        raise CorruptError(f"The card {path.name} cannot be used: {error}.") from error


def parse_card(name: str, data: dict[str, Any]) -> Card:
    """The card in a parsed TOML file.

    Raises:
        LookupError, TypeError, ValueError: a key is missing, unknown or of the wrong kind.
    """
    data = dict(data)
    paper = Paper(**data.pop("paper"))
    protocols, presets = data.pop("protocols", {}), parse_presets(data.pop("presets", {}))
    tables = tuple(parse_table(t, _reference(paper), protocols) for t in data.pop("tables", []))
    _check_presets(tables, presets)
    weights = tuple(StartingWeights(**w) for w in data.pop("weights", []))
    deviations = tuple(data.pop("deviations", ()))
    trust = _parse_trust(data.pop("trust", None))
    return Card(
        name=name,
        paper=paper,
        trust=trust,
        weights=weights,
        tables=tables,
        presets=presets,
        deviations=deviations,
        **data,
    )


def card_presets(name: str) -> dict[str, Layer]:
    """{preset: nested settings} of a model's card, for `Model.presets`.

    Raises:
        UsageError, CorruptError: see `load_card`.
    """
    return {preset.name: preset.settings for preset in load_card(name).presets.values()}


def trust_remark(name: str) -> str:
    """What must stand beside figures of a model: that it is unverified, or partial; else ""."""
    trust = _trust(name)
    return f"{name} is {trust.remark}" if trust and trust.remark else ""


def trust_line(name: str) -> str:
    """What the claim to be its paper's model rests on; "" where there is no claim, or no card."""
    trust = _trust(name)
    return f"trust in {name}: {trust.line}" if trust and trust.line else ""


def _trust(name: str) -> Trust | None:
    """What the card of a model says, None where there is none that can be read."""
    try:
        return load_card(name).trust if name in MODELS else None
    except (CorruptError, MissingError):
        return None


def presets_of(name: str) -> tuple[str, ...]:
    """Presets of a model of a known name; it is not imported."""
    from sbirctl.core.settings_source import entries_of

    model = MODELS.loaded().get(name)
    own = model.presets if model else entries_of(MODELS.module_of(name), "presets")
    stated = card_presets(name) if card_file(name).is_file() else ()  # a card may come later
    return tuple(dict.fromkeys((*stated, *own)))


def refuse_preset(name: str, preset: str) -> None:
    """Raise UsageError where a model has no such preset; "" and "none" are none."""
    if preset not in ("", "none") and preset not in (known := presets_of(name)):
        raise UsageError(f"{name} has no preset {preset!r}.", nearest(preset, known))


def _check_presets(tables: tuple[Table, ...], presets: Mapping[str, Preset]) -> None:
    for table in tables:
        if "preset" not in table.keys:
            continue
        at = table.keys.index("preset")
        for row in table.rows:
            if row[at] and row[at] not in presets:
                raise ValueError(
                    f"table {table.id} names the preset {row[at]!r}, which is not there"
                )


def _reference(paper: Paper) -> str:
    return f"{paper.authors.split(',')[0]} et al. {paper.year}"


def card_file(name: str) -> Path:
    """Where a registered model's card lies; what else its paper brings as data lies beside it."""
    outside = MODELS.outside.all().get(name)
    if outside is None:
        place = sys.modules[MODELS.get(name).__module__].__file__ if _in_one_file(name) else None
        return Path(place or __file__).with_name(f"{name}.toml")
    try:
        found = importlib.util.find_spec(outside.module)  # imports parent packages only
    except ModuleNotFoundError:
        found = None
    if found is None or found.origin is None:
        raise MODELS.outside.gone(outside)
    return Path(found.origin).with_name(f"{name}.toml")


def _in_one_file(name: str) -> bool:
    """Whether a model came with a file that a person named, or from a program of theirs."""
    return name in MODELS.loaded() and not MODELS.get(name).__module__.startswith(MODELS.package)


def _bare_card(name: str) -> Card:
    """What is known of a model in a file of its own that has no card beside it."""
    summary = (MODELS.get(name).__doc__ or "").strip().split("\n")[0]
    return Card(name, summary, "", "", 0, 0, Paper("", "", "", 0, ""), Trust(OWN), ())


def _parse_trust(data: Mapping[str, Any] | None) -> Trust:
    """The `[trust]` of a card; a card that says nothing is unverified.

    Raises:
        TypeError, ValueError: a key is unknown, there is no such rung, or one that was reached by
            a comparison does not name it.
    """
    trust = Trust(**data) if data else Trust(UNVERIFIED)
    if trust.rung not in RUNGS:
        raise ValueError(f"trust has the rung {trust.rung!r}, not one of {', '.join(RUNGS)}")
    if trust.rung not in (UNVERIFIED, OWN) and not trust.evidence:
        raise ValueError(f"trust has the rung {trust.rung} and names no evidence")
    return trust
