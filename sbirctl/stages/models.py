"""What models there are, and what there is to know about one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sbirctl.core.config import describe
from sbirctl.models import MODELS
from sbirctl.models.cards import load_card


def rows() -> list[dict[str, Any]]:
    """One entry a model, from the cards alone: nothing of torch is imported."""
    found = []
    for card in map(load_card, MODELS.names()):
        found.append(
            {
                "name": card.name,
                "parameters": card.parameters,
                "dim": card.dim,
                "input": card.input,
                "paper": f"{card.paper.authors.split(',')[0].split()[-1]} {card.paper.year}",
                "title": card.paper.title,
                "summary": card.summary,
            }
        )
    return found


def show(name: str) -> dict[str, Any]:
    """The card of a model, its parameters by part, its settings, and its presets.

    Raises:
        UsageError: there is no such model.
    """
    card = asdict(load_card(name))
    model = MODELS.get(name)
    from sbirctl.models.parameters import count_parts

    parts = count_parts(model, model.Settings())
    hidden = set() if model.trainable else _recipe()
    settings = [
        {"key": key, "default": default, "help": text}
        for key, default, text in describe(model.Settings)
        if key not in hidden
    ]
    facts = {"trainable": model.trainable, "parameters_by_part": parts}
    return {**card, **facts, "settings": settings, "presets": model.presets}


def _recipe() -> set[str]:
    """Settings all models have that say how to train: a model that is not trained hides them."""
    from sbirctl.models.base import ModelSettings

    preprocessing = {"preset", "size", "mean", "std"}
    return {key for key, _, _ in describe(ModelSettings)} - preprocessing
