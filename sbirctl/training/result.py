"""What came of a run, for people and programs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from sbirctl import __version__
from sbirctl.models import Model
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.embedding import device_of
from sbirctl.training.run import write_result
from sbirctl.training.state import Progress


def finish(
    folder: Path,
    model: Model,
    phases: Mapping[str, Progress],
    threads: int,
    processes: int,
) -> None:
    """Write what came of it; the state is of no more use."""
    header = read_checkpoint(folder / "checkpoint.safetensors", tensors=False)
    groups = [group for stage in model.recipe() for group in stage.groups]
    moving = {id(p): p.numel() for group in groups for p in group.params}
    seconds = sum(p.seconds for p in phases.values())
    images = sum(p.images for p in phases.values())
    write_result(
        folder,
        {
            "run": folder.name,
            "provenance": header.provenance.to_json(),
            "weights_digest": header.digest,
            "chosen_epochs": phases["train"].chosen,
            "phases": {name: _figures(progress) for name, progress in phases.items()},
            "parameters": {
                "all": sum(p.numel() for p in model.parameters()),
                "trained": sum(moving.values()),
            },
            "minutes": round(seconds / 60, 3),
            "images_per_second": round(images / seconds, 1) if seconds else None,
            "device": str(device_of(model)),
            "precision": str(model.compute_dtype).removeprefix("torch."),
            "threads": threads,
            "processes": processes,
            "versions": {"sbirctl": __version__, "torch": torch.__version__},
            "finished": datetime.now(UTC).isoformat(timespec="microseconds"),
        },
    )
    shutil.rmtree(folder / "state", ignore_errors=True)


def _figures(progress: Progress) -> dict[str, Any]:
    return {
        "chosen_epochs": progress.chosen,
        "history": progress.history,
        "losses": progress.losses,
        "steps": progress.steps,
        "images": progress.images,
        "minutes": round(progress.seconds / 60, 3),
    }
