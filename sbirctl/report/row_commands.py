"""The command that trains for a figure, and those of a card's main figures."""

from __future__ import annotations

from dataclasses import dataclass

from sbirctl.models import Card
from sbirctl.report.published import Figure, figures
from sbirctl.report.training_checks import value_of

_BY_ITSELF = ("gallery", "scope")  # what "auto" chooses for the published data sets


@dataclass(frozen=True)
class MainCommand:
    """How the main figures of one protocol are made.

    Attributes:
        tables: numbers of the tables with figures of it.
        where: the data set, "a→b" across two, with the task.
        command: for the shell.
        undetermined: why the figures cannot be compared, "" where they can.
    """

    tables: tuple[str, ...]
    where: str
    command: str
    undetermined: str


def training_arguments(figure: Figure) -> tuple[str, ...]:
    """Arguments of `sbirctl` that train a run whose figures can stand beside this one."""
    column, preset = figure.column, figure.preset
    found = ["train", figure.card.name, "--dataset", column.trained_on or column.dataset]
    if column.trained_on:
        found += ["--target", column.dataset]
    found += ["--task", figure.table.task]
    if "/" in column.split and not column.trained_on:  # across two, the protocol names the lists
        found += ["--split", column.split]
    found += ["--set", f"preset={preset.name}"]
    for key, value in column.options.items():
        if key not in _BY_ITSELF:
            found += ["--set", f"{key}={value_of(value)}"]
    if preset.recipe.get("val") != "none":
        found.append("--refit")
    return tuple(found)


def main_commands(card: Card) -> list[MainCommand]:
    """One entry a protocol that the card has figures of its preset `paper` for."""
    found: dict[tuple[str, ...], MainCommand] = {}
    for figure in figures(card):
        if not figure.preset.is_paper:
            continue
        arguments, column = training_arguments(figure), figure.column
        across = f"{column.trained_on}→" if column.trained_on else ""
        before = found.get(arguments)
        tables = dict.fromkeys([*(before.tables if before else ()), figure.table.id])
        found[arguments] = MainCommand(
            tuple(tables),
            f"{across}{column.dataset}, {figure.table.task}",
            " ".join(["sbirctl", *arguments]),
            column.undetermined,
        )
    return list(found.values())
