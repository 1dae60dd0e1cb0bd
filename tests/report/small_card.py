"""Cards of a few figures, made for a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbirctl.models import Card, load_card, parse_card

PAPER = load_card("drclip").presets["paper"]

HEAD = {
    "summary": "s",
    "input": "i",
    "preprocessing": "p",
    "parameters": 1,
    "dim": 8,
    "paper": {"title": "t", "authors": "Ann B", "venue": "v", "year": 2020, "url": "u"},
    "presets": {"paper": {"method": PAPER.method, "recipe": PAPER.recipe}},
}


def table(
    column: Mapping[str, Any] | None = None,
    value: float = 0.5,
    *,
    number: str = "1",
    **changes: Any,
) -> dict[str, Any]:
    """A `[[tables]]` entry with one figure, of the classes toys/a under `clipprompt`."""
    keys = {"method": "Ours", "origin": "own", "preset": "paper", **changes.pop("keys", {})}
    plain = {"dataset": "toys", "split": "toys/a", "metric": "map@5"}
    return {
        "id": number,
        "title": "T",
        "task": "gzs",
        "definition": "clipprompt",
        "keys": list(keys),
        "columns": [{**plain, **(column or {})}],
        "rows": [[*keys.values(), value]],
        "ours": "Ours",
        **changes,
    }


def card(*tables: Mapping[str, Any]) -> Card:
    """A card with these tables."""
    return parse_card("drclip", {**HEAD, "tables": list(tables)})
