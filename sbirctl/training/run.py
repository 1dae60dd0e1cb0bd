"""A run's folder: what it was asked for, and what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from sbirctl.core.config import to_dict
from sbirctl.core.files import atomic_open, digest_file, digest_json, read_json, write_json
from sbirctl.core.home import runs_dir
from sbirctl.models import MODELS, ModelSettings
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.inputs import Data

SCHEMA = 1


@dataclass(frozen=True)
class Request:
    """Everything that decides what a run's checkpoint will be.

    Attributes:
        model: registry name.
        settings: resolved.
        data: opened inputs.
        seed: of starting values, batches, augmentation and the validation subset.
        weights: "pretrained", "none" or a file.
        refit: train again on training and validation subset for the chosen number of epochs.
        monitor: log the unseen figures; part of the identity, since it is in the log.
        from_stage: the stage of the recipe to begin with, "" for the first one.
        init: checkpoint of the run whose weights it begins with, or None.
    """

    model: str
    settings: ModelSettings
    data: Data
    seed: int
    weights: str
    refit: bool
    monitor: bool
    from_stage: str = ""
    init: Path | None = None

    def edges(self) -> dict[str, Any] | None:
        """Which edge maps are read, None for none.

        Raises:
            MissingError: the model needs them, and the data set holds none.
        """
        if not MODELS.get(self.model).edges_for(self.settings):
            return None
        return self.data.store.require_edges()

    def run_id(self) -> str:
        """`<model>-<task>-<data set>-<split>-<seed>-<8 hex digits>`."""
        weights = Path(self.weights)
        identity = {
            "schema": SCHEMA,
            "model": self.model,
            "settings": to_dict(self.settings),
            "inputs": self.data.identity(),
            "weights": digest_file(weights) if weights.is_file() else self.weights,
            "refit": self.refit,
            "monitor": self.monitor,
        }
        # Only where they are given, so that other runs keep their names.
        if self.from_stage:
            identity["from_stage"] = self.from_stage
        if self.init is not None:
            identity["init"] = read_checkpoint(self.init, tensors=False).digest
        if (edges := self.edges()) is not None:
            identity["edges"] = edges["pixels"]
        label = f"{self.model}-{self.data.label()}-{self.seed}"
        return f"{label}-{digest_json(identity)[:8]}"

    def folder(self) -> Path:
        """Where the run lies."""
        return runs_dir() / self.run_id()


def write_config(folder: Path, request: Request, **more: Any) -> None:
    """`config.toml`: the settings that held, readable back with `--config`."""
    inputs = request.data.inputs
    run = {
        "model": request.model,
        "dataset": inputs.dataset,
        "target": inputs.target,
        "task": inputs.task,
        "split": inputs.split,
        "seed": request.seed,
        "weights": request.weights,
        "refit": request.refit,
        "monitor": request.monitor,
        "from_stage": request.from_stage,
        "init": "" if request.init is None else str(request.init),
        **more,
    }
    own, options = to_dict(request.settings), to_dict(inputs.options)
    with atomic_open(folder / "config.toml") as stream:
        tomli_w.dump({**own, **options, "run": run}, stream)


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """`result.json`; its being there means that the run is finished."""
    write_json(folder / "result.json", {"schema": SCHEMA, **result})


def read_result(folder: Path) -> dict[str, Any] | None:
    """What came of a run, None while it is not finished."""
    path = folder / "result.json"
    return read_json(path) if path.is_file() else None


def clear(folder: Path) -> None:
    """Remove what a run left, so that it starts anew; the result goes first."""
    (folder / "result.json").unlink(missing_ok=True)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)


LOCK = ".lock"
