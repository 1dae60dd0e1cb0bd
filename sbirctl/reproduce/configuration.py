"""A planned training as the one configuration of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.files import atomic_open
from sbirctl.core.home import RESULT, runs_dir
from sbirctl.reproduce.plan import Training

if TYPE_CHECKING:
    from sbirctl.training.config import Flags, TrainingConfig


def flags(training: Training, init: str = "") -> Flags:
    """What `sbirctl train` takes besides settings.

    Args:
        init: the run it begins with.
    """
    return {
        "dataset": training.protocol.dataset,
        "target": training.protocol.target,
        "task": training.protocol.task,
        "split": training.protocol.split,
        "seed": training.seed,
        "weights": training.weights,
        "refit": training.refit,
        "monitor": training.monitor,
        "from_stage": training.from_stage,
        "init": init,
    }


def configuration(training: Training, init: str = "") -> TrainingConfig:
    """The configuration that `pipeline.train` will make of it."""
    from sbirctl.core.config import environment_layer
    from sbirctl.training.config import training_config

    layers: list[Mapping[str, Any]] = [training.settings, environment_layer()]
    return training_config(training.model, layers, **flags(training, init))


def settings_file(training: Training, folder: Path) -> Path:
    """The settings as a file for `--config`; its name is the training's key."""
    import tomli_w

    path = folder / f"{training.key[:12]}.toml"
    with atomic_open(path) as stream:
        tomli_w.dump(training.settings, stream)
    return path


def run_folder(training: Training) -> Path | None:
    """Where the run of a training lies or will lie; None while what it begins with is missing.

    Raises:
        MissingError: a data set is not prepared, or has no edge maps.
    """
    from sbirctl.training.run import Run

    init = ""
    if training.init is not None:
        first = run_folder(training.init)
        if first is None or not (first / RESULT).is_file():
            return None
        init = str(first)
    config = configuration(training, init)
    return runs_dir() / Run(config, config.open()).run_id()
