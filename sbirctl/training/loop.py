"""The training loop: stages of a recipe one after the other, resumable at any step.

A run equals itself however often it was stopped: batches and augmentation come from (seed, stage,
epoch, step), the state is saved whole at steps where a log line ends, and what the log holds
beyond the saved state is cut off when the run goes on.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.amp import GradScaler

from sbirctl.core.device import auto_workers, largest_memory
from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.core.errors import SbirctlError, UsageError, nearest
from sbirctl.core.files import human_bytes
from sbirctl.core.progress import SILENT, Reporter, going_on, human_time
from sbirctl.core.seeds import seed_for
from sbirctl.models import Model, Stage
from sbirctl.retrieval.provenance import Provenance
from sbirctl.sampling.batch import Batch
from sbirctl.sampling.subsets import Partition, Subset
from sbirctl.training.checkpointer import Checkpointer, Progress
from sbirctl.training.compiled import compile_networks
from sbirctl.training.config import Execution
from sbirctl.training.embedding import SELECTION_METRIC, device_of, validate
from sbirctl.training.inputs import DataRecord
from sbirctl.training.loader import BatchLoader
from sbirctl.training.metrics_log import LossMeter, NotFiniteError
from sbirctl.training.optim import make_optimizer, rate_factor, set_rates, set_trainable
from sbirctl.training.parallel import check_batch_norm, synchronise_batch_norm
from sbirctl.training.step import TrainingStep


class Trainer:
    """Trains a model on the training subset and keeps its best epoch on the validation subset.

    A phase is one pass through all stages of the recipe: to choose the number of epochs, or to
    train again for that number.

    Args:
        model: with its starting weights, on its device.
        partition: training, validation (or None: the last epoch is kept) and test subset.
        folder: the run's folder.
        phase: name of the phase, see `Checkpointer`.
        seed: of batches and augmentation.
        monitor: log the test subset's figures after every epoch; they choose nothing.
        from_stage: the stage to begin with, "" for the first one.
        epochs: stage name to number of epochs, instead of the recipe's.
        execution: how to compute it.
        provenance, data: recorded in checkpoints.
        log_start: bytes of log.jsonl that belong to earlier phases.
        group: the processes that train; each takes its share of every batch.

    Raises:
        UsageError: `from_stage` is no stage of the recipe.
    """

    def __init__(
        self,
        model: Model,
        partition: Partition,
        folder: Path,
        *,
        phase: str = "train",
        seed: int = 0,
        monitor: bool = False,
        from_stage: str = "",
        epochs: Mapping[str, int] | None = None,
        execution: Execution = Execution(),
        provenance: Provenance | None = None,
        data: DataRecord | None = None,
        log_start: int = 0,
        group: ProcessGroup = SINGLE,
        report: Reporter = SILENT,
    ) -> None:
        self.model, self.partition, self.report, self.group = model, partition, report, group
        self.seed, self.monitor, self.epochs = seed, monitor, epochs or {}
        self.execution = execution
        self.first = _stage_index([s.name for s in model.recipe()], from_stage)
        self.device = device_of(model)
        wanted = self.execution.workers
        self.workers = auto_workers(self.device) if wanted is None else wanted
        self.loader = BatchLoader(
            partition.train, self.device, self.workers, edges=model.needs_edges, group=group
        )
        self.checkpointer = Checkpointer(
            folder,
            phase,
            model,
            provenance or partition.provenance,
            data,
            log_start=log_start,
            tensorboard=self.execution.tensorboard,
            group=group,
        )
        self.loss_meter = LossMeter()
        self.scaler = GradScaler(self.device.type, enabled=model.compute_dtype == torch.float16)
        if group.world > 1:
            synchronise_batch_norm(model, self.device)
        if self.execution.compile:
            compile_networks(model, self.execution.compile)

    @property
    def progress(self) -> Progress:
        """Where the phase stands."""
        return self.checkpointer.progress

    @property
    def checkpoint(self) -> Path:
        """The result of a complete phase."""
        return self.checkpointer.checkpoint

    def run(self) -> Progress:
        """Train to the end, from the saved state if there is one; the model holds the result.

        Raises:
            NotFiniteError: the loss became NaN; the last good checkpoint is kept.
            SbirctlError: the training subset does not fill one batch.
        """
        if self.checkpointer.finished():
            return self.progress
        kept = self.checkpointer.resume()
        progress = self.progress
        if progress.scaler:
            self.scaler.load_state_dict(progress.scaler)
        if progress.steps:
            self.report.note(f"continuing after step {progress.steps}")
        progress.stage = max(progress.stage, self.first)
        try:
            while progress.stage < len(stages := self.model.recipe()):
                if kept is None:
                    self.model.begin(stages[progress.stage].name)
                # Beginning a stage may have exchanged parameters: its groups are asked for now.
                self._run_stage(self.model.recipe()[progress.stage], kept)
                kept = None
            self.checkpointer.finish()
        finally:
            self.checkpointer.log.close()
        return self.progress

    def _run_stage(self, stage: Stage, kept: dict[str, Any] | None) -> None:
        progress, patience = self.progress, self.model.settings.patience
        optimizer = make_optimizer(stage, self.model.settings)
        if kept is not None:
            optimizer.load_state_dict(kept)
        step = TrainingStep(self.model, stage.name, optimizer, self.scaler, self.group)
        epochs = self.epochs.get(stage.name, stage.epochs)
        if not stage.plan.length(self.partition.train):
            raise SbirctlError(
                "The training subset does not fill one batch.", "Lower it: --set batch=…"
            )
        while progress.epoch < epochs and not (patience and progress.stale >= patience):
            with going_on(f"after epoch {progress.epoch} of {epochs}"):
                began, before = time.monotonic(), progress.images
                self._run_epoch(stage, step, epochs)
                rate = (progress.images - before) / (time.monotonic() - began)
                progress.epoch += 1
                progress.step = 0
                told = self._end_epoch(stage, epochs)
                left = (time.monotonic() - began) * (epochs - progress.epoch)
                self.report.note(f"{told}; {self._cost(rate, left)}")
                self._save(optimizer)
        self.checkpointer.load_best(stage.name)
        progress.chosen[stage.name] = progress.best_epoch
        progress.stage += 1
        progress.epoch = progress.best_epoch = progress.stale = 0
        progress.best = None
        self._save(None)

    def _run_epoch(self, stage: Stage, step: TrainingStep, epochs: int) -> None:
        progress, settings = self.progress, self.model.settings
        length = stage.plan.length(self.partition.train)
        seed = seed_for(self.seed, "plan", stage.name)
        drawn = stage.plan.batches(self.partition.train, progress.epoch, seed)
        set_trainable(self.model, stage, progress.epoch)
        self.model.train()
        if self.group.world > 1:
            check_batch_norm(self.model, settings.accumulate)
        step.begin_epoch()
        warmup = round(settings.warmup * length)
        label = f"epoch {progress.epoch + 1}/{epochs}"
        batches = self.loader.batches(itertools.islice(drawn, progress.step, None))
        with self.report.bar(label, length, progress.step) as advance:
            for batch in batches:
                done = progress.epoch * length + progress.step
                factor = rate_factor(settings.schedule, done, epochs * length, warmup)
                set_rates(step.optimizer, factor)
                self.model.stage_done = done / (epochs * length)
                self._make_step(stage, step, batch)
                last = progress.step == length
                first = progress.epoch == 0 and progress.step == 1
                if first or last or progress.step % self.execution.log_every == 0:
                    self._log(stage, step.optimizer)
                    if not last and self._should_save():
                        self._save(step.optimizer)
                advance()

    def _make_step(self, stage: Stage, step: TrainingStep, batch: Batch) -> None:
        progress = self.progress
        at = (self.seed, stage.name, progress.epoch, progress.step)
        # Dropout draws for the images at hand, so every process has draws of its own.
        own = (self.group.rank,) if self.group.world > 1 else ()
        self.model.batch_seed = seed_for("batch", *at)
        terms = step(batch, seed_for("augment", *at), seed_for("step", *at, *own))
        progress.step += 1
        progress.steps += 1
        ids = batch.whole.ids
        progress.images += len(ids)
        self.loss_meter.add(terms, progress.epoch + 1, progress.step, ids)
        if self.device.type == "cpu" and not bool(terms["total"].isfinite()):
            self._log(stage, step.optimizer)  # there is no device to wait for: stop at once

    def _log(self, stage: Stage, optimizer: torch.optim.Optimizer) -> None:
        progress = self.progress
        try:
            terms = self.loss_meter.fetch()
        except NotFiniteError as error:
            self.checkpointer.stop(error)
        if progress.epoch == 0 and progress.step == 1:
            shown = ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
            self.report.note(f"{stage.name}, before the first step: {shown}")
        progress.losses.setdefault("first", terms)
        progress.losses["last"] = terms
        where = {"phase": self.checkpointer.phase, "stage": stage.name, "epoch": progress.epoch + 1}
        rate = optimizer.param_groups[0]["lr"]
        self.checkpointer.log.write("step", progress.steps, {**where, "lr": rate, **terms})

    def _end_epoch(self, stage: Stage, epochs: int) -> str:
        """Validate and keep the epoch if it is the best; the test subset is only looked at.

        Returns:
            What is said of the epoch.
        """
        progress = self.progress
        loss = progress.losses["last"]["total"]
        figures: dict[str, Any] = {"phase": self.checkpointer.phase, "stage": stage.name}
        figures |= {"epoch": progress.epoch, "loss": loss}
        told = f"epoch {progress.epoch}/{epochs}: loss {loss:.4f}"
        self.checkpointer.check_weights()
        if self.partition.val is None or not stage.validate:
            self.checkpointer.save_best(stage.name)
        else:
            # A class has too few held-out instances (`fg`) to rank them within it.
            about = replace(self.partition.provenance, scope="all")
            found, chance = self._validate(self.partition.val, about)
            figures |= {f"val_{name}": value for name, value in found.items()}
            figures[f"chance_{SELECTION_METRIC}"] = chance
            told += f", validation {SELECTION_METRIC} {found[SELECTION_METRIC]:.4f}"
            progress.stale += 1
            if progress.best is None or found[SELECTION_METRIC] > progress.best:
                progress.best, progress.stale = found[SELECTION_METRIC], 0
                self.checkpointer.save_best(stage.name)
                told += " (best)"
        if self.monitor and stage.validate:
            found, _ = self._validate(self.partition.test, self.partition.provenance)
            figures |= {f"unseen_{name}": value for name, value in found.items()}
            told += f", unseen {SELECTION_METRIC} {found[SELECTION_METRIC]:.4f} (only logged)"
        progress.history.append(figures)
        self.checkpointer.log.write("epoch", progress.steps, figures)
        return told

    def _cost(self, rate: float, left: float) -> str:
        """What training takes, for people.

        Args:
            rate: images a second of this epoch. left: seconds until the stage's last epoch.
        """
        parts = [f"{rate:.0f} images/s"]
        if self.device.type == "cuda":
            parts.append(human_bytes(torch.cuda.max_memory_allocated(self.device)))
        elif memory := largest_memory():
            parts.append(human_bytes(memory))
        if left:
            parts.append(f"{human_time(left)} left")
        return ", ".join(parts)

    def _validate(self, part: Subset, about: Provenance) -> tuple[dict[str, float], float]:
        return validate(self.model, part, about, workers=self.workers, group=self.group)

    def _save(self, optimizer: torch.optim.Optimizer | None) -> None:
        self.progress.scaler = self.scaler.state_dict()
        self.checkpointer.save(optimizer)

    def _should_save(self) -> bool:
        if self.execution.save_steps:
            return self.progress.step % self.execution.save_steps == 0
        return self.checkpointer.since_saved() >= self.execution.save_seconds


def _stage_index(names: Sequence[str], wanted: str) -> int:
    if wanted and wanted not in names:
        raise UsageError(f"There is no stage {wanted!r}.", nearest(wanted, names))
    return names.index(wanted) if wanted else 0
