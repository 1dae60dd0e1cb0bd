"""The phases of a run: choose the number of epochs, then perhaps train again on everything."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sbirctl.core.config import to_dict
from sbirctl.core.distributed import ProcessGroup
from sbirctl.core.files import atomic_path
from sbirctl.core.progress import Reporter
from sbirctl.models import create
from sbirctl.tasks import Holdout
from sbirctl.training.config import Execution, with_model
from sbirctl.training.initial_weights import load_initial_weights
from sbirctl.training.loop import Trainer
from sbirctl.training.run import Run, finish, write_config


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
        write_config(folder, run, threads=threads, processes=group.world, compile=execution.compile)
    phases = {"train": trainer.run()}
    if run.config.refit:
        chosen = phases["train"].chosen
        report.note(f"training again on all seen data for {chosen} epochs")
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
        with atomic_path(folder / "checkpoint.safetensors") as temporary:
            shutil.copyfile(trainer.checkpoint, temporary)
        finish(folder, trainer.model, phases, threads, group.world)


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
        )
    if phase == "train":
        for remark in model.remarks(run.data.store.size):
            report.warn(remark)
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
