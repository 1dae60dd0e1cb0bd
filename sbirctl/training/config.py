"""The one resolved configuration of a run, made from all layers, and how the run is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack

from sbirctl.core.config import resolve, to_dict
from sbirctl.core.errors import UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import (
    MODELS,
    Model,
    ModelSettings,
    WeightsRecord,
    pretrained_on,
    publishers,
    resolve_settings,
)
from sbirctl.retrieval.provenance import EdgeMaps, Pretraining, Provenance, Weights
from sbirctl.splits.audit import overlaps
from sbirctl.tasks import TASKS, Holdout, TaskOptions
from sbirctl.training.find import find_checkpoint
from sbirctl.training.inputs import Data, Found, Inputs
from sbirctl.training.layers import Layers, parted


@dataclass(frozen=True)
class TrainingConfig:
    """Everything a person decides about what a run becomes; of an untrained model, too.

    Attributes:
        model: registry name.
        settings: of the model and its recipe, resolved.
        inputs: data sets, task with its options, and split, by name.
        seed: of starting values, batches, augmentation and the validation subset.
        weights: "pretrained", "none" or a file, absolute.
        refit: train again on training and validation subset for the chosen number of epochs.
        monitor: log the unseen figures; they choose nothing.
        from_stage: the stage of the recipe to begin with, "" for the first one.
        init: checkpoint of the run whose weights it begins with, or None.
    """

    model: str
    settings: ModelSettings
    inputs: Inputs
    seed: int = 0
    weights: str = "pretrained"
    refit: bool = False
    monitor: bool = False
    from_stage: str = ""
    init: Path | None = None

    @property
    def holdout(self) -> Holdout:
        """What is held out for validation."""
        fraction = 0.0 if self.settings.val == "none" else self.settings.val_fraction
        return Holdout(fraction, self.seed)

    def open(self, found: Found | None = None) -> Data:
        """The data it names; see `Inputs.open`."""
        return self.inputs.open(self.holdout, found)


@dataclass(frozen=True)
class Execution:
    """How a run is computed; what comes out does not depend on it, but for the last bits.

    Attributes:
        device: auto, cpu, cuda, …; of several processes (`torchrun`) each takes a GPU of its own.
        workers: reading threads, None for what suits the device.
        threads: of the processor's arithmetic, None for torch's own number.
        tensorboard: also write TensorBoard's event files.
        compile: torch.compile's backend for the model's networks, "" to leave them as they are.
        log_every: steps between log lines.
        save_seconds: time between saved states, besides the one after every epoch.
        save_steps: save after so many steps instead, 0 for by time.
    """

    device: str = "auto"
    workers: int | None = None
    threads: int | None = None
    tensorboard: bool = False
    compile: str = ""
    log_every: int = 20
    save_seconds: float = 120.0
    save_steps: int = 0


class Flags(TypedDict, total=False):
    """What has a flag of its own and is no setting; see `TrainingConfig` and `Inputs`.

    Empty text stands for what is usual. `init` is a run (name,
    folder or checkpoint) of the same model and data.
    """

    dataset: str
    target: str
    task: str
    split: str
    seed: int
    weights: str
    refit: bool
    monitor: bool
    from_stage: str
    init: str


def training_config(
    model: str, layers: Layers, *, report: Reporter = SILENT, **flags: Unpack[Flags]
) -> TrainingConfig:
    """What holds for a run.

    Args:
        model: registry name.
        layers: settings of the model and options of the task, as `core.config.read_layers`.
        report: is told of settings that have another name now.
        flags: see `Flags`.

    Raises:
        UsageError: an unknown model, task, key or value, an option of another task, or what does
            not go together.
        MissingError: `init` is no run.
    """
    task = flags.get("task") or Inputs.task
    weights = flags.get("weights") or TrainingConfig.weights
    settings, options = resolve_layers(model, task, layers, weights=weights, report=report)
    weights = publishers(weights)
    if Path(weights).expanduser().is_file():
        weights = str(Path(weights).expanduser().absolute())
    init = flags.get("init", "")
    config = TrainingConfig(
        model,
        settings,
        Inputs.typed(flags, options),
        seed=flags.get("seed", 0),
        weights=weights,
        refit=flags.get("refit", False),
        monitor=flags.get("monitor", False),
        from_stage=flags.get("from_stage", ""),
        init=find_checkpoint(init).absolute() if init else None,
    )
    if config.refit and not config.holdout.fraction:
        raise UsageError("--refit needs a validation subset.", "Leave out --set val=none.")
    if config.refit and config.init:
        raise UsageError("--init and --refit do not go together.", "Leave out one of them.")
    return config


def with_model(
    data: Data, config: TrainingConfig, model: Model, edges: EdgeMaps | None
) -> Provenance:
    """The data's provenance with what made the model.

    Args:
        model: with its starting weights.
        edges: which edge maps it reads.
    """
    record, known = model.weights, data.partition.provenance
    return replace(
        known,
        seed=config.seed,
        model=config.model,
        settings=to_dict(config.settings),
        weights=Weights(record.name, record.sha256, config.weights),
        pretraining=_pretraining(record, known),
        edges=edges,
    )


def _pretraining(record: WeightsRecord, known: Provenance) -> Pretraining:
    data, labels = pretrained_on(record)
    overlap = None
    if data.startswith("ImageNet") and known.unseen is not None:
        found = overlaps(known.unseen, known.target or known.dataset or "")
        overlap = tuple(dict.fromkeys(one.name for one in found))
    return Pretraining(data, labels, overlap)


def resolve_layers(
    model: str, task: str, layers: Layers, *, weights: str = "", report: Reporter = SILENT
) -> tuple[ModelSettings, TaskOptions]:
    """The settings of a model and the options of a task, from layers that hold both.

    Args:
        layers: of rising precedence, as `core.config` reads them.
        weights: see `models.resolve_settings`.
        report: is told of settings that have another name now.

    Raises:
        UsageError: an unknown model, task, key or value, or an option of another task.
    """
    options = TASKS.get(task).Options
    own, chosen = parted(MODELS.get(model).Settings, task, layers)
    found = resolve(options, *chosen)
    return resolve_settings(model, own, weights=weights, report=report), found
