"""The phases of a run: choose the number of epochs, then perhaps train again on everything."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from sbirctl.core.config import to_dict
from sbirctl.core.distributed import ProcessGroup
from sbirctl.core.files import atomic_path
from sbirctl.core.progress import Reporter
from sbirctl.models import create
from sbirctl.tasks import Holdout
from sbirctl.training.initial_weights import load_initial_weights
from sbirctl.training.loop import LoopOptions, Trainer
from sbirctl.training.result import finish
from sbirctl.training.run import Request, write_config


def run_phases(
    request: Request,
    folder: Path,
    options: LoopOptions,
    group: ProcessGroup,
    threads: int,
    report: Reporter,
) -> None:
    """Train the phases a run consists of and write its checkpoint and result.

    Args:
        request: what to train.
        folder: of the run; what it holds from an earlier, stopped call is gone on from.
        options: of the loop.
        group: the processes that train, and this one's device.
        threads: for the record.
    """
    options = replace(options, from_stage=request.from_stage)
    trainer = _trainer(request, folder, "train", options, 0, group, report)
    if group.first:
        write_config(
            folder, request, threads=threads, processes=group.world, compile=options.compile
        )
    phases = {"train": trainer.run()}
    if request.refit:
        chosen = phases["train"].chosen
        report.note(f"training again on all seen data for {chosen} epochs")
        again = _with_all(request)
        options = replace(options, epochs=chosen)
        start = phases["train"].log
        trainer = _trainer(again, folder, "refit", options, start, group, report)
        phases["refit"] = trainer.run()
    if group.first:
        with atomic_path(folder / "checkpoint.safetensors") as temporary:
            shutil.copyfile(trainer.checkpoint, temporary)
        finish(request, folder, trainer.model, phases, threads, group.world)


def _trainer(
    request: Request,
    folder: Path,
    phase: str,
    options: LoopOptions,
    log_start: int,
    group: ProcessGroup,
    report: Reporter,
) -> Trainer:
    partition, settings = request.data.partition, request.settings
    with group.first_process_first():
        model = create(
            request.model,
            device=group.device,
            dtype=settings.precision,
            weights=request.weights,
            classes=partition.train.classes,
            layers=[to_dict(settings)],
            seed=request.seed,
        )
    facts = {
        "run": folder.name,
        "seed": request.seed,
        "weights_source": request.weights,
        "weights": {"name": model.weights.name, "sha256": model.weights.sha256},
        **request.data.record(),
    }
    if (edges := request.edges()) is not None:
        facts["edges"] = edges
    if request.init is not None:
        facts["init"] = load_initial_weights(model, request.init, request.data)
    return Trainer(
        model,
        partition,
        folder,
        phase=phase,
        options=options,
        facts=facts,
        log_start=log_start,
        group=group,
        report=report,
    )


def _with_all(request: Request) -> Request:
    """The request with the validation subset trained on."""
    return replace(request, data=request.data.inputs.open(Holdout(0.0, request.seed)))
