"""What models there are, and what there is to know about one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from sbirctl.core.config import Described, describe, to_dict
from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.kept import kept
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import MODELS, PAPER, RUNGS, Card, Paper, load_card

PRESET = "preset"
_OWN = files("sbirctl.report").joinpath("measured.toml")
_MEASURED = ("model", "dataset", "task", "split", "metric", "definition", "value")
_STEP = ("model", "preset", "images", "seconds", "gigabytes")


def rows(report: Reporter = SILENT) -> list[dict[str, Any]]:
    """One entry a model, from the cards alone: nothing of torch is imported.

    Models whose card is missing or cannot be used are left out with a warning.
    """
    found = []
    for name in MODELS.names():
        try:
            card = load_card(name)
        except (CorruptError, MissingError) as error:
            report.warn(f"{name} is not listed: {error}")
            continue
        found.append(
            {
                "name": card.name,
                "parameters": card.parameters,
                "dim": card.dim,
                "input": card.input,
                "paper": _cited(card.paper),
                "trust": card.trust.short,
                "title": card.paper.title,
                "summary": card.summary,
            }
        )
    return found


def _cited(paper: Paper) -> str:
    """Its first author and year, "" for a model without a paper."""
    names = paper.authors.split(",")[0].split()
    return f"{names[-1]} {paper.year}" if names else ""


def trust_facts(trust: Mapping[str, str]) -> dict[str, str]:
    """What a card's `trust` says, under the headings a person reads."""
    facts = {
        "trust": f"{trust['rung']}: {RUNGS[trust['rung']]}",
        "evidence": trust["evidence"],
        "partial": trust["partial"],
    }
    return {heading: text for heading, text in facts.items() if text}


def show(name: str) -> dict[str, Any]:
    """The card of a model, its parameters by part, its settings, and its presets.

    Raises:
        UsageError: there is no such model.
    """
    load_card(name)
    if not MODELS.is_own(name):
        return _described(name)
    found: dict[str, Any] = kept(f"model-{name}", lambda: _described(name))
    return found


def _described(name: str) -> dict[str, Any]:
    card = load_card(name)
    model = MODELS.get(name)
    from sbirctl.models import count_parts
    from sbirctl.report.row_commands import main_commands

    parts = count_parts(model, model.Settings())
    hidden = set() if model.trainable else _recipe()
    settings = [_setting(one) for one in describe(model.Settings) if one.key not in hidden]
    facts = {"trainable": model.trainable, "parameters_by_part": parts}
    return {
        **asdict(card),
        **facts,
        "settings": settings,
        "presets": {preset: _beside_the_default(name, preset) for preset in model.presets},
        "beside_the_paper": _beside_the_paper(name, card, model.presets),
        "commands": [asdict(command) for command in main_commands(card)],
    }


def markdown(name: str) -> str:
    """The page of a model: its card, settings, and what was measured with it.

    Raises:
        UsageError: there is no such model.
        CorruptError: the file of measured figures cannot be read.
    """
    from sbirctl.report.model_page import model_page

    return model_page(show(name), measured(name), step_cost(name))


def measured(name: str, path: Traversable | None = None) -> list[dict[str, Any]]:
    """Figures measured with a model.

    Args:
        path: a TOML file of `[[figures]]` with model, dataset, task, split, metric, definition and
            value, where known deviation and runs, and note; None for the project's own.

    Raises:
        CorruptError: it is no such file.
    """
    figures = _of_file(path or _OWN, "figures", _MEASURED)[0]
    return [figure for figure in figures if figure["model"] == name]


def step_cost(name: str, path: Traversable | None = None) -> dict[str, Any] | None:
    """What a training step of a model at full size was measured to cost; None for not measured.

    Args:
        path: a TOML file of `[conditions]` and of `[[steps]]` with model, preset, images (of a
            step), seconds (an image) and gigabytes; None for the project's own.

    Returns:
        One of them with the conditions.

    Raises:
        CorruptError: it is no such file.
    """
    steps, conditions = _of_file(path or _OWN, "steps", _STEP)
    return next(({**one, **conditions} for one in steps if one["model"] == name), None)


def _of_file(
    path: Traversable, kind: str, keys: Iterable[str]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All entries of one kind, each with all keys, and the conditions."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = found[kind]
        absent = [key for one in entries for key in keys if key not in one]
    except (ValueError, LookupError, TypeError) as error:
        raise CorruptError(f"{path.name} holds no {kind}: {error}.") from error
    if absent:
        raise CorruptError(f"One of the {kind} in {path.name} has no {absent[0]}.")
    return entries, found.get("conditions", {})


def _beside_the_default(name: str, preset: str) -> dict[str, Any]:
    """{dotted key: value} of the settings that a preset has another value for."""
    from sbirctl.models import flat, resolve_settings

    usual = flat(to_dict(resolve_settings(name)))
    held = flat(to_dict(resolve_settings(name, [{"preset": preset}])))
    return {key: value for key, value in held.items() if value != usual.get(key) and key != PRESET}


def _beside_the_paper(
    name: str, card: Card, presets: Iterable[str]
) -> dict[str, dict[str, Any]] | None:
    """{preset: {dotted key: value}} of what is not as in the card's preset `paper`.

    "" stands for the settings without a preset. None where no paper's settings are stated.
    """
    if PAPER not in card.presets:
        return None
    from sbirctl.models import flat, resolve_settings

    def held(preset: str) -> dict[str, Any]:
        return flat(to_dict(resolve_settings(name, [{"preset": preset}])))

    paper = held(PAPER)
    return {
        preset: {k: v for k, v in held(preset).items() if v != paper.get(k) and k != PRESET}
        for preset in ("", *presets)
    }


def _setting(one: Described) -> dict[str, Any]:
    """A setting with its choices; those its help does not name are added to it."""
    unnamed = [c for c in one.choices if not re.search(rf"\b{re.escape(c)}\b", one.help)]
    listed = unnamed and set(one.choices) != {"true", "false"}
    text = f"{one.help} ({', '.join(one.choices)})" if listed else one.help
    return {**asdict(one), "choices": list(one.choices), "help": text}


def _recipe() -> set[str]:
    """Settings all models have that say how to train: a model that is not trained hides them."""
    from sbirctl.models import ModelSettings

    preprocessing = {PRESET, "size", "mean", "std"}
    return {one.key for one in describe(ModelSettings)} - preprocessing
