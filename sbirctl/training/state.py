"""What a stopped run needs to go on as if it had not been stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.core.files import atomic_path, display_path, refuse_shortage
from sbirctl.core.forms import NATURAL, Each, Maybe, check_form
from sbirctl.models import Model

SCHEMA = 1
_FORM = {
    "progress": {
        **dict.fromkeys(("stage", "epoch", "step", "steps", "images"), NATURAL),
        **dict.fromkeys(("log", "best_epoch", "stale"), NATURAL),
        "seconds": float,
        "best": Maybe(float),
        "chosen": Each(NATURAL),
        "history": [dict],
        "losses": Each(Each(float)),
    },
    "model": dict,
    "optimizer": Maybe(dict),
}


@dataclass
class Progress:
    """Where a phase of a run stands. Random numbers need no place: they come from seeds.

    Attributes:
        stage: index of the recipe's stage.
        epoch: epochs of the stage that are complete.
        step: optimiser steps made in the epoch after those.
        steps: optimiser steps of the phase.
        images: images trained on.
        seconds: time spent, over all calls.
        log: bytes of log.jsonl that belong to all this.
        best: best validation of the stage so far, None before the first.
        best_epoch: the (1-based) epoch it belongs to.
        stale: epochs since then.
        chosen: stage name to number of epochs its result was trained for.
        history: one entry per validated epoch.
        losses: loss terms of the first and of the latest log line.
        scaler: state of what scales the loss with precision=fp16.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    steps: int = 0
    images: int = 0
    seconds: float = 0.0
    log: int = 0
    best: float | None = None
    best_epoch: int = 0
    stale: int = 0
    chosen: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    losses: dict[str, dict[str, float]] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)


def save_state(
    path: Path, model: Model, optimizer: torch.optim.Optimizer | None, progress: Progress
) -> None:
    """Write everything atomically; an earlier state stays until the new one is whole."""
    state = {
        "schema": SCHEMA,
        "progress": asdict(progress),
        "model": dict(model.checkpoint_state()),
        "optimizer": None if optimizer is None else optimizer.state_dict(),
    }
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load_state(
    path: Path, model: Model, group: ProcessGroup = SINGLE
) -> tuple[Progress, dict[str, Any] | None] | None:
    """Put the saved weights into `model`; the progress and the optimiser's state.

    Args:
        group: of its processes only the first reads the file.

    Returns:
        None where nothing was saved.

    Raises:
        CorruptError: the file is damaged or was written by another version.
    """
    again = "Type the same command with --fresh to train from the start."

    def read() -> dict[str, Any] | None:
        return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None

    try:
        state = group.broadcast_from_first(read)
        if state is None:
            return None
        check_form(state, {"schema": int}, path, again)
        if state["schema"] != SCHEMA:
            raise CorruptError(f"{display_path(path)} is of another version.", again)
        check_form(state, _FORM, path, again)
        model.load_checkpoint_state(state["model"])
        return Progress(**state["progress"]), state["optimizer"]
    except SbirctlError:
        raise
    except Exception as error:  # torch raises anything for a damaged file
        refuse_shortage(error)
        raise CorruptError(f"{display_path(path)} is damaged: {error}.", again) from error
