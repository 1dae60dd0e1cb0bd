"""How much a planned training is, from its data and its model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sbirctl.core.config import to_dict
from sbirctl.core.home import RESULT
from sbirctl.reproduce.configuration import configuration, run_folder
from sbirctl.reproduce.plan import Training
from sbirctl.reproduce.step_rate import kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from sbirctl.sampling.plans import BatchPlan
    from sbirctl.sampling.subsets import Partition, Subset
    from sbirctl.tasks import Holdout
    from sbirctl.training.config import TrainingConfig

_FLOAT = 4  # bytes of a number
_COPIES = 4  # of the trained parameters: checkpoint, best epoch, optimizer's state


@dataclass(frozen=True)
class Workload:
    """One training.

    Attributes:
        state: finished, begun or new.
        kind: of its images' cost, see `step_rate`.
        images: of all steps, at most where validation may end it early.
        classes, sketches, photos: trained on in the end. queries, gallery: of the test side.
        bytes: of the run's files.
        config, part: what is trained on what.
    """

    state: str
    kind: str
    images: int
    classes: int
    sketches: int
    photos: int
    queries: int
    gallery: int
    bytes: int
    config: TrainingConfig
    part: Subset

    def counts(self) -> dict[str, int]:
        """The numbers by name."""
        names = ("classes", "sketches", "photos", "queries", "gallery", "images", "bytes")
        return {name: getattr(self, name) for name in names}


def workload(training: Training) -> Workload:
    """How much a training is.

    Raises:
        MissingError: a data set is not prepared, or has no edge maps.
    """
    from sbirctl.tasks import Holdout

    folder = run_folder(training)
    config = configuration(replace(training, init=None))
    parts = [_partition(config, config.holdout)]
    if config.refit:
        parts.append(_partition(config, Holdout(0.0, config.seed)))
    trained, test = parts[-1].train, parts[0].test
    outline = _outline(config, "/" in trained.classes[0])
    images = sum(outline.images(part.train, config.from_stage) for part in parts)
    numbers = _COPIES * outline.trained
    numbers += outline.dim * (len(test.sketch) + len(test.photo))
    return Workload(
        _state(folder),
        kind_of(config.model, to_dict(config.settings)),
        images,
        len(trained.classes),
        len(trained.sketch),
        len(trained.photo),
        len(test.sketch),
        len(test.photo),
        _FLOAT * numbers,
        config,
        trained,
    )


@dataclass(frozen=True)
class _Outline:
    """A model without its values: stages as (name, epochs, plan), trained numbers, dimensions."""

    stages: tuple[tuple[str, int, BatchPlan], ...]
    trained: int
    dim: int

    def images(self, part: Subset, from_stage: str) -> int:
        """Of all steps."""
        names = [name for name, _, _ in self.stages]
        first = names.index(from_stage) if from_stage else 0
        total = 0
        for _, epochs, plan in self.stages[first:]:
            batch = next(iter(plan.batches(part, 0, 0)))
            total += epochs * plan.length(part) * (len(batch.photo) + len(batch.sketch))
        return total


_outlines: dict[str, _Outline] = {}
_partitions: dict[str, Partition] = {}


def _outline(config: TrainingConfig, instances: bool) -> _Outline:
    """Of a model with two classes, of instances or not; trainings of one system share it."""
    key = repr((config.model, config.settings, instances))
    if key not in _outlines:
        _outlines[key] = _made(config, ("a/1", "b/1") if instances else ("a", "b"))
    return _outlines[key]


def _made(config: TrainingConfig, classes: tuple[str, ...]) -> _Outline:
    import torch

    from sbirctl.core.errors import UsageError
    from sbirctl.models import MODELS

    made = MODELS.get(config.model)
    try:
        with torch.device("meta"):
            model = made(config.settings, classes)
    except UsageError:  # open_clip moves its towers, which tensors without values refuse
        model = made(config.settings, classes)
    stages = model.recipe()
    moving = {id(p): p.numel() for stage in stages for g in stage.groups for p in g.params}
    return _Outline(
        tuple((s.name, s.epochs, s.plan) for s in stages), sum(moving.values()), model.dim
    )


def _partition(config: TrainingConfig, holdout: Holdout) -> Partition:
    """The parts; trainings of one protocol share them."""
    key = repr((config.inputs, holdout))
    if key not in _partitions:
        _partitions[key] = config.inputs.open(holdout).partition
    return _partitions[key]


def _state(folder: Path | None) -> str:
    if folder is None or not (folder / "config.toml").is_file():
        return "new"
    return "finished" if (folder / RESULT).is_file() else "begun"
