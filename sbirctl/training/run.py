"""A run: what is asked for, its phases one after the other, and what came of it.

The first phase chooses the number of epochs; a second may train again on everything.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import tomli_w
import torch

from sbirctl import __version__
from sbirctl.core.config import RUN_TABLE, to_dict
from sbirctl.core.device import slow_precision
from sbirctl.core.distributed import ProcessGroup
from sbirctl.core.files import atomic_open, atomic_path, digest_file, digest_json, write_json
from sbirctl.core.home import CHECKPOINT, LABEL, RESULT, runs_dir
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import MODELS, Model, create
from sbirctl.retrieval.provenance import EdgeMaps
from sbirctl.tasks import Holdout
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.checkpointer import Progress
from sbirctl.training.config import Execution, TrainingConfig, with_model
from sbirctl.training.embedding import device_of
from sbirctl.training.initial_weights import load_initial_weights
from sbirctl.training.inputs import Data
from sbirctl.training.loop import Trainer

SCHEMA = 2
LOCK = ".lock"


@dataclass(frozen=True)
class Run:
    """What is to be trained, with its data opened.

    Attributes:
        config: what was asked for. data: opened.
    """

    config: TrainingConfig
    data: Data

    def edges(self) -> EdgeMaps | None:
        """Which edge maps are read, None for none.

        Raises:
            MissingError: the model needs them, and the data set holds none.
        """
        if not MODELS.get(self.config.model).edges_for(self.config.settings):
            return None
        return self.data.store.require_edges()

    def run_id(self) -> str:
        """`<model>-<task>-<data set>-<split>-<seed>-<8 hex digits>`."""
        config = self.config
        weights = Path(config.weights)
        identity = {
            "schema": SCHEMA,
            "model": config.model,
            "settings": to_dict(config.settings),
            "inputs": self.data.identity(),
            "weights": digest_file(weights) if weights.is_file() else config.weights,
            "refit": config.refit,
            "monitor": config.monitor,
        }
        # Only where they are given, so that other runs keep their names.
        if config.from_stage:
            identity["from_stage"] = config.from_stage
        if config.init is not None:
            identity["init"] = read_checkpoint(config.init, tensors=False).digest
        if (edges := self.edges()) is not None:
            identity["edges"] = edges.pixels
        label = f"{config.model}-{self.data.label()}-{config.seed}"
        return f"{label}-{digest_json(identity)[:8]}"

    def folder(self) -> Path:
        """Where the run lies."""
        return runs_dir() / self.run_id()


def run_phases(
    run: Run,
    folder: Path,
    execution: Execution,
    group: ProcessGroup,
    threads: int,
    report: Reporter,
) -> None:
    """Train the phases a run consists of and write its checkpoint and result.

    Args:
        run: what to train.
        folder: of the run; what it holds from an earlier, stopped call is gone on from.
        execution: how to compute it.
        group: the processes that train, and this one's device.
        threads: for the record.
    """
    trainer = _trainer(run, folder, "train", execution, group=group, report=report)
    if group.first:
        _write_config(
            folder, run, threads=threads, processes=group.world, compile=execution.compile
        )
    phases = {"train": trainer.run()}
    if run.config.refit:
        chosen = phases["train"].chosen
        counts = ", ".join(f"{stage} {epochs}" for stage, epochs in chosen.items())
        report.note(f"training again on all seen data, epochs: {counts}")
        data = run.data.inputs.open(Holdout(0.0, run.config.seed))
        trainer = _trainer(
            replace(run, data=data),
            folder,
            "refit",
            execution,
            epochs=chosen,
            log_start=phases["train"].log,
            group=group,
            report=report,
        )
        phases["refit"] = trainer.run()
    if group.first:
        with atomic_path(folder / CHECKPOINT) as temporary:
            shutil.copyfile(trainer.checkpoint, temporary)
        _finish(folder, trainer.model, phases, threads, group.world)


def _trainer(
    run: Run,
    folder: Path,
    phase: str,
    execution: Execution,
    *,
    epochs: Mapping[str, int] | None = None,
    log_start: int = 0,
    group: ProcessGroup,
    report: Reporter,
) -> Trainer:
    partition, config = run.data.partition, run.config
    with group.first_process_first():
        model = create(
            config.model,
            device=group.device,
            dtype=config.settings.precision,
            weights=config.weights,
            classes=partition.train.classes,
            layers=[to_dict(config.settings)],
            seed=config.seed,
            report=report if phase == "train" else SILENT,
        )
    if phase == "train":
        for remark in model.remarks(run.data.store.size):
            report.warn(remark)
        if slow := slow_precision(model.compute_dtype, device_of(model)):
            report.warn(slow)
    init = None
    if config.init is not None:
        init = load_initial_weights(model, config.init, run.data, config.from_stage)
    provenance = replace(
        with_model(run.data, config, model, run.edges()),
        run=folder.name,
        trained=True,
        refit=config.refit,
        init=init,
    )
    return Trainer(
        model,
        partition,
        folder,
        phase=phase,
        seed=config.seed,
        monitor=config.monitor,
        from_stage=config.from_stage,
        epochs=epochs,
        execution=execution,
        provenance=provenance,
        data=run.data.record(),
        log_start=log_start,
        group=group,
        report=report,
    )


def _write_config(folder: Path, run: Run, **more: object) -> None:
    """`config.toml`: the settings that held, readable back with `--config`.

    Args:
        more: how it was computed, for the table `run`.
    """
    config, inputs = run.config, run.data.inputs
    about = {
        "model": config.model,
        "dataset": inputs.dataset,
        "target": inputs.target,
        "task": inputs.task,
        "split": inputs.split,
        "seed": config.seed,
        "weights": config.weights,
        "refit": config.refit,
        "monitor": config.monitor,
        "from_stage": config.from_stage,
        "init": "" if config.init is None else str(config.init),
        **more,
    }
    settings = {**to_dict(config.settings), **to_dict(inputs.options)}
    with atomic_open(folder / "config.toml") as stream:
        tomli_w.dump({**settings, RUN_TABLE: about}, stream)


def clear(folder: Path) -> None:
    """Remove what a run left but its label, so that it starts anew; the result goes first."""
    (folder / RESULT).unlink(missing_ok=True)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in (LOCK, LABEL):
            path.unlink(missing_ok=True)


def _finish(
    folder: Path,
    model: Model,
    phases: Mapping[str, Progress],
    threads: int,
    processes: int,
) -> None:
    """Write what came of it; the state is of no more use."""
    header = read_checkpoint(folder / CHECKPOINT, tensors=False)
    groups = [group for stage in model.recipe() for group in stage.groups]
    moving = {id(p): p.numel() for group in groups for p in group.params}
    seconds = sum(p.seconds for p in phases.values())
    images = sum(p.images for p in phases.values())
    # Its being there means that the run is finished.
    write_json(
        folder / RESULT,
        {
            "schema": SCHEMA,
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


def _figures(progress: Progress) -> dict[str, object]:
    return {
        "chosen_epochs": progress.chosen,
        "history": progress.history,
        "losses": progress.losses,
        "steps": progress.steps,
        "images": progress.images,
        "minutes": round(progress.seconds / 60, 3),
    }
