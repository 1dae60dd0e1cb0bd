"""Training steps a second of `train`, beside bare steps on batches that are in memory.

    python benchmarks/train.py [--dataset NAME] [--steps 20] [--device cpu] [--set KEY=VALUE]
    python benchmarks/train.py --size 224 --set backbone=resnet50 --set batch=16
    python benchmarks/train.py --model drclip --size 224 --set batch=64 --device cuda

Baseline: the same model, the same number of images, losses, backward pass and optimiser, over
batches that lie on the device. The other lines are the loop with reading, logging, NaN checks and
learning-rate schedule, without and with augmentation; validation and saving are no part of it.
For the baseline model there is also what the papers' code does: the same steps on batches from
torchvision's ImageFolder, decoded by Pillow in two worker processes.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from _data import SMALL_BACKBONE, compare, data
from _image_folder import folder_batches, image_files
from torch.nn import functional as F

from sbirctl.core.config import parse_assignments
from sbirctl.core.device import keep_freed_memory
from sbirctl.losses import normalised_softmax
from sbirctl.models import Model, create
from sbirctl.training.config import Execution
from sbirctl.training.inputs import Data
from sbirctl.training.loader import BatchLoader, to_rgb
from sbirctl.training.loop import Trainer
from sbirctl.training.metrics_log import MetricsLog
from sbirctl.training.optim import make_optimizer, set_trainable
from sbirctl.training.step import TrainingStep, loss_terms


class ShortPlan:
    """The first batches of a plan."""

    def __init__(self, plan: Any, steps: int) -> None:
        self.plan, self.steps = plan, steps

    def length(self, part: Any) -> int:
        return min(self.steps, self.plan.length(part))

    def batches(self, part: Any, epoch: int, seed: int) -> Any:
        return itertools.islice(self.plan.batches(part, epoch, seed), self.steps)


def bare(model: Model, opened: Data, steps: int) -> Callable[[], int]:
    """The baseline."""
    (stage,) = model.recipe()
    device = next(model.parameters()).device
    drawn = ShortPlan(stage.plan, steps).batches(opened.partition.train, 0, 0)
    batches = [to_rgb(b) for b in BatchLoader(opened.partition.train, device, 0).batches(drawn)]
    optimizer = make_optimizer(stage, model.settings)

    def work() -> int:
        set_trainable(model, stage, 0)
        model.train()
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            with model.autocast():
                loss = loss_terms(model, batch, stage.name)["total"]
            loss.backward()
            optimizer.step()
        loss.item()
        return sum(len(batch.ids) for batch in batches)

    return work


def looped(model: Model, opened: Data, steps: int, kind: str, folder: Path) -> Callable[[], int]:
    """One epoch of the loop, with augmentation `kind`."""
    model.settings = replace(model.settings, augment=kind)
    trainer = Trainer(model, opened.partition, folder, execution=Execution(save_seconds=1e9))
    (stage,) = model.recipe()
    stage = replace(stage, plan=ShortPlan(stage.plan, steps))
    optimizer = make_optimizer(stage, model.settings)
    step = TrainingStep(model, stage.name, optimizer, trainer.scaler)
    trainer.checkpointer.resume()
    trainer.checkpointer.log = MetricsLog(folder / "log.jsonl")

    def work() -> int:
        before = trainer.progress.images
        trainer.progress.step = 0
        trainer._run_epoch(stage, step, 1)
        return trainer.progress.images - before

    return work


def from_folder(model: Model, folder: Path, steps: int) -> Callable[[], int]:
    """A plain loop over ImageFolder."""
    (stage,) = model.recipe()
    optimizer = make_optimizer(stage, model.settings)
    device = next(model.parameters()).device
    options = model.settings

    def work() -> int:
        set_trainable(model, stage, 0)
        model.train()
        done = 0
        batches = folder_batches(folder, options.size, options.batch)
        for photo, photo_label, sketch, sketch_label in itertools.islice(batches, steps):
            images = (
                torch.cat([photo, sketch]).to(device).contiguous(memory_format=torch.channels_last)
            )
            labels = torch.cat([photo_label, sketch_label]).to(device)
            optimizer.zero_grad(set_to_none=True)
            with model.autocast():
                found = F.normalize(model.features(images, "photo").float(), dim=-1)
                loss = normalised_softmax(
                    found, model.proxies, labels, temperature=options.temperature
                )
            loss.backward()
            optimizer.step()
            loss.item()
            done += len(images)
        return done

    return work


def main() -> None:
    """Print one line a way of training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="", help="a prepared data set, else drawn images")
    parser.add_argument("--model", default="baseline")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    options = parser.parse_args()
    keep_freed_memory()  # as `train` does
    own = SMALL_BACKBONE if options.model == "baseline" else ()
    layers = [
        {"size": options.size},
        parse_assignments(own),
        parse_assignments(options.assignments),
    ]
    with data(options.dataset, options.size) as opened, tempfile.TemporaryDirectory() as folder:

        def model() -> Model:
            return create(
                options.model,
                device=options.device,
                weights="none",
                classes=opened.partition.train.classes,
                layers=layers,
            )

        ways = {"bare steps in memory": bare(model(), opened, options.steps)}
        for kind in ("none", "standard"):
            place = Path(folder) / kind
            ways[f"loop, augment={kind}"] = looped(model(), opened, options.steps, kind, place)
        with image_files(opened.partition.train) as files:
            if options.model == "baseline":
                ways["ImageFolder and Pillow, 2 workers"] = from_folder(
                    model(), files, options.steps
                )
            compare("bare steps in memory", ways, options.rounds, device=options.device)


if __name__ == "__main__":
    main()
