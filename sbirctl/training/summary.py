"""What a finished training says of itself: the epoch that was kept, its figures, what it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbirctl.core.progress import human_time
from sbirctl.training.embedding import SELECTION_METRIC


def summary(result: Mapping[str, Any]) -> list[str]:
    """Lines for people.

    Args:
        result: what `core.home.read_result` gives.
    """
    phase = result["phases"]["train"]
    lines = []
    for stage, epoch in result["chosen_epochs"].items():
        history = [entry for entry in phase["history"] if entry.get("stage") == stage]
        kept = next((entry for entry in history if entry["epoch"] == epoch), None)
        if kept is not None:
            lines.append(f"{stage}: {_of_epoch(kept, len(history))}")
    terms = phase["losses"].get("last", {})
    if terms:
        lines.append("last losses: " + ", ".join(f"{k} {v:.4g}" for k, v in terms.items()))
    rate = result["images_per_second"]
    took = f"took {human_time(60 * result['minutes'])}"
    lines.append(took if rate is None else f"{took} at {rate:.0f} images/s")
    return lines


def _of_epoch(entry: Mapping[str, Any], epochs: int) -> str:
    name = SELECTION_METRIC
    value = entry.get(f"val_{name}")
    if value is None:
        return f"{epochs} epochs, the last one kept"
    chance = entry.get(f"chance_{name}")
    beside = "" if chance is None else f" (chance {chance:.4f})"
    return f"epoch {entry['epoch']} of {epochs} was best, validation {name} {value:.4f}{beside}"
