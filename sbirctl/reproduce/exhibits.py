"""The tables and figures of a paper, from its card and the reproduction file beside it.

The reproduction file of a model is `<model>.reproduce.toml` beside its card. docs/reproduce.md says
what its keys mean.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sbirctl.core.errors import CorruptError, UsageError, nearest
from sbirctl.core.files import digest_bytes
from sbirctl.models import MODELS, Card, Column, Table, card_file, load_card

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

KINDS = (
    "table",
    "counts",
    "sheet",
    "tsne",
    "correlation",
    "curves",
    "attention",
    "samples",
    "sweep",
)
SUFFIX = ".reproduce.toml"
_FIGURE = re.compile(r"f(ig(ure)?)?[-. ]*(?P<number>\w+)")
_TABLE = re.compile(r"(t(able)?[-. ]+)?(?P<number>[\w-]+)")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")


@dataclass(frozen=True)
class TrainedSystem:
    """What is trained: a preset of the card, with some settings changed.

    Attributes:
        preset: its name.
        settings: nested, as `core.config` resolves them.
        label: as the paper calls it.
    """

    preset: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True)
class Protocol:
    """What a system is trained and tested on.

    Attributes:
        task: name of the task.
        dataset: trained on. target: tested on, "" for the same one.
        split: class list by name, "" for the task's own.
        options: of the task.
    """

    task: str
    dataset: str
    target: str = ""
    split: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets that are needed."""
        return (self.dataset, self.target) if self.target else (self.dataset,)

    @property
    def place(self) -> str:
        """The data set, "a→b" across two."""
        return "→".join(self.datasets)


@dataclass(frozen=True)
class Exhibit:
    """One table or figure.

    Attributes:
        id: "2" for a table, "figure-4" for a figure.
        title: what it shows.
        kind: one of `KINDS`.
        table: of the card, for kind "table".
        systems: of a figure, in the order they are shown.
        protocols: of a figure, a picture each.
        options: further keys of its entry.
    """

    id: str
    title: str
    kind: str
    table: Table | None = None
    systems: tuple[TrainedSystem, ...] = ()
    protocols: tuple[Protocol, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """ "Table 2", "Figure 4"."""
        figure = self.id.startswith("figure-")
        return f"Figure {self.id.removeprefix('figure-')}" if figure else f"Table {self.id}"

    @property
    def stem(self) -> str:
        """Of the files it is written to."""
        return self.id if self.id.startswith("figure-") else f"table-{self.id}"


@dataclass(frozen=True)
class ReproducedPaper:
    """All that a paper has to be made again.

    Attributes:
        card: of its model.
        exhibits: tables, then figures.
        labels: what the paper calls a data set, list or metric.
        percent: whether it prints per cent.
        first_stage: a stage trained once for all trainings on the same data: `preset`, `settings`
            of the training that ends with it, `then` the next stage; {} for none.
        embedded: presets that are another one's training embedded with other `settings`.
        small: how `--small` scales the trainings.
        digest: of both files.
    """

    card: Card
    exhibits: tuple[Exhibit, ...]
    labels: Mapping[str, str]
    percent: bool
    first_stage: Mapping[str, Any]
    embedded: Mapping[str, Mapping[str, Any]]
    small: Mapping[str, Any]
    digest: str

    def label(self, *names: str) -> str:
        """What the paper calls the first of these names that it has a word for, else the last."""
        return next((self.labels[name] for name in names if name in self.labels), names[-1])

    def choose(self, wanted: Sequence[str]) -> tuple[Exhibit, ...]:
        """The exhibits named, in the paper's order; all where none is.

        Raises:
            UsageError: the paper has no such table or figure.
        """
        known = {exhibit.id.lower(): exhibit for exhibit in self.exhibits}
        ids = [exhibit_id(text, known) for text in wanted]
        for text, one in zip(wanted, ids, strict=True):
            if one not in known:
                raise UsageError(
                    f"{self.card.name} has no table or figure {text!r}.", nearest(one, known)
                )
        return tuple(e for e in self.exhibits if not ids or e.id.lower() in ids)


def exhibit_id(text: str, known: Mapping[str, Exhibit]) -> str:
    """`fig. 4`, `Figure-4`, `table 2` and so on as `figure-4` and `2`, or `ii` where it is so."""
    typed = text.strip().lower()
    if typed in known:
        return typed
    if found := _FIGURE.fullmatch(typed):
        return f"figure-{found['number']}"
    found = _TABLE.fullmatch(typed)
    number = found["number"] if found else typed
    if number not in known and number.isdecimal() and 1 <= int(number) <= len(_ROMAN):
        return _ROMAN[int(number) - 1]
    return number


def papers() -> tuple[str, ...]:
    """Models whose paper can be made again."""
    return tuple(name for name in MODELS.names() if _file(name).is_file())


def load_paper(name: str) -> ReproducedPaper:
    """A paper's exhibits.

    Raises:
        UsageError: there is no such model, or no reproduction file of it.
        CorruptError: the file is incomplete.
    """
    card = load_card(name) if name in MODELS else None
    if card is None or not _file(name).is_file():
        raise UsageError(f"There is no paper {name!r} to reproduce.", nearest(name, papers()))
    text = _file(name).read_bytes()
    digest = digest_bytes(text + card_file(name).read_bytes())
    try:
        return parse_paper(card, tomllib.loads(text.decode()), digest)
    except (LookupError, TypeError, ValueError) as error:
        raise CorruptError(f"{_file(name).name} cannot be used: {error}.") from error


def parse_paper(card: Card, data: Mapping[str, Any], digest: str = "") -> ReproducedPaper:
    """The paper in a parsed reproduction file.

    Raises:
        LookupError, TypeError, ValueError: a key is missing, unknown or of the wrong kind.
    """
    own = dict(data)
    made = [_exhibit(card, entry, entry["id"]) for entry in own.pop("tables", ())]
    made += [Exhibit(t.id, t.title, "table", t) for t in card.tables]
    made += [_exhibit(card, entry, f"figure-{entry['id']}") for entry in own.pop("figures", ())]
    usual: dict[str, Any] = {
        "labels": {},
        "percent": False,
        "first_stage": {},
        "embedded": {},
        "small": {},
    }
    return ReproducedPaper(card=card, exhibits=tuple(made), digest=digest, **(usual | own))


def column_protocol(table: Table, column: Column) -> Protocol:
    """What a column is measured on."""
    listed = "/" in column.split and table.task in ("cg", "gzs")
    return Protocol(
        table.task,
        column.trained_on or column.dataset,
        column.dataset if column.trained_on else "",
        column.split if listed else "",
        column.options,
    )


def table_system(table: Table, row: Sequence[Any]) -> TrainedSystem | None:
    """What makes a row, None for rows of other systems."""
    keys = dict(zip(table.keys, row, strict=False))
    return TrainedSystem(keys["preset"], label=keys["method"]) if keys.get("preset") else None


def _exhibit(card: Card, entry: Mapping[str, Any], ident: str) -> Exhibit:
    own = dict(entry)
    own.pop("id")
    title, kind = own.pop("title"), own.pop("kind")
    if kind not in KINDS:
        raise ValueError(f"{ident} is of the unknown kind {kind!r}")
    systems = tuple(card_system(card, preset) for preset in own.pop("systems", ()))
    protocols = tuple(_protocol(card, words) for words in own.pop("on", ()))
    return Exhibit(ident, title, kind, None, systems, protocols, own)


def card_system(card: Card, preset: str) -> TrainedSystem:
    """A preset with the name its row has in the paper."""
    for table in card.tables:
        for row in table.rows:
            found = table_system(table, row)
            if found is not None and found.preset == preset:
                return found
    raise ValueError(f"no row of a table is made by the preset {preset!r}")


def _protocol(card: Card, words: str) -> Protocol:
    """`2 tuberlin`, `1 sketchy/random25`: the first such column of that table."""
    number, _, where = words.partition(" ")
    for table in card.tables:
        for column in table.columns:
            if table.id == number and where in (column.dataset, column.split):
                return column_protocol(table, column)
    raise ValueError(f"no column is {words!r}")


def _file(name: str) -> Traversable:
    path = card_file(name)
    return path.with_name(path.stem + SUFFIX)
