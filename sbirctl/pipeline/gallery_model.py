"""Which model makes a gallery's vectors, and which runtime computes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sbirctl.core.config import Layer, read_layers
from sbirctl.core.errors import CorruptError, MismatchError, MissingError, UsageError, nearest
from sbirctl.core.home import finished_runs
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.galleries.embedder import Embedder, export_folder
from sbirctl.galleries.model_record import ModelRecord
from sbirctl.inference import STARTER
from sbirctl.inference.encoder import RUNTIMES
from sbirctl.inference.onnx import export_named

if TYPE_CHECKING:
    from sbirctl.galleries.gallery import Gallery

ON_PROCESSOR = ("auto", "cpu")


@dataclass(frozen=True)
class ModelChoice:
    """Which model makes the vectors.

    Attributes:
        name: a run's folder or name, a checkpoint, an exported model's folder, a model's name, or
            that of weights (`sbirctl weights`); "" for the gallery's own, else the newest run,
            else the starter.
        weights: where the starting weights are, "" for the published ones or those of training.
        assignments, config: settings, for a model's name only.
        seed: for a model with random starting values.
        runtime: onnx or torch; "" for the gallery's own, or onnx where the model can be exported.
    """

    name: str = ""
    weights: str = ""
    assignments: Sequence[str] = ()
    config: Path | None = None
    seed: int = 0
    runtime: str = ""


def choose(
    choice: ModelChoice, old: Gallery | None, device: str, report: Reporter = SILENT
) -> Embedder:
    """The model that is meant, with a warning where it may find little for drawings.

    One that was never exported is exported first.

    Args:
        choice: what a person said.
        old: the gallery as it is, None for a new one.
        device: auto, cpu, cuda, …; others than the first two are torch's.

    Raises:
        UsageError: settings for a model that has its own, or no such runtime.
        MissingError: no such run.
        CorruptError, MismatchError: its files are not what they should be.
        inference.export.ExportError: onnx was asked for, and the model cannot be exported.
    """
    found = _chosen(choice, old, device, report)
    if (choice.name or old is None) and found.caution:
        report.warn(found.caution)
    return found


def _chosen(choice: ModelChoice, old: Gallery | None, device: str, report: Reporter) -> Embedder:
    if choice.runtime not in ("", *RUNTIMES):
        raise UsageError(
            f"There is no runtime {choice.runtime!r}.", nearest(choice.runtime, RUNTIMES)
        )
    if device not in ON_PROCESSOR:
        if choice.runtime == "onnx":
            raise UsageError(
                f"ONNX Runtime does not compute on {device!r} here.", "Leave out --device."
            )
        choice = replace(choice, runtime="torch")
    given = [*choice.assignments, *([str(choice.config)] if choice.config else [])]
    if not choice.name and old is not None and not given:
        return _of_gallery(old.record, old.dim, choice, device, report)
    from sbirctl.training.find import find_checkpoint, is_model, refuse_settings

    if not choice.name and old is not None:
        refuse_settings(given)
    if choice.name:
        from sbirctl.models import find_named_weights, search_weights

        if named := find_named_weights(choice.name):
            choice = replace(choice, name=named.plain_model, weights=named.name)
        usual = search_weights()
        if choice.name == usual.plain_model and not (choice.weights or given):
            report.note(f"{choice.name} with {usual.name}; --weights takes others.")
            choice = replace(choice, weights=usual.name)
    if is_model(choice.name):
        return _as_it_comes(choice, read_layers(choice.config, choice.assignments), device, report)
    refuse_settings(given)
    name = choice.name or next(map(str, finished_runs()), STARTER)
    if (folder := export_named(name)) is not None:
        return _exported(folder, choice)
    return _trained(find_checkpoint(name, report), choice, device, report)


def _of_gallery(
    record: ModelRecord, dim: int, choice: ModelChoice, device: str, report: Reporter
) -> Embedder:
    """The gallery's own model; made anew where its run was trained again or more is asked for."""
    same = choice.runtime in ("", record.runtime) and not choice.weights
    if same and not trained_again(record):
        try:
            return Embedder.from_record(record, dim, device=device)
        except (MissingError, MismatchError, CorruptError):  # the export is gone or another one
            if record.checkpoint and not os.path.isfile(record.checkpoint):
                raise
    choice = replace(
        choice,
        weights=choice.weights or record.weights,
        runtime=choice.runtime or record.runtime,
        seed=record.seed,
    )
    if record.checkpoint:
        return _trained(Path(record.checkpoint), choice, device, report)
    if not record.weights:
        return _exported(export_folder(record), choice)
    return _as_it_comes(replace(choice, name=record.name), [record.settings], device, report)


def trained_again(record: ModelRecord) -> bool:
    """Whether the run holds other weights by now; one that is gone does not."""
    if not record.checkpoint or not os.path.isfile(record.checkpoint):
        return False
    from sbirctl.training.checkpoint import read_checkpoint

    return read_checkpoint(Path(record.checkpoint), tensors=False).digest != record.digest


def _exported(folder: Path, choice: ModelChoice) -> Embedder:
    if choice.runtime == "torch":
        raise UsageError(
            f"{choice.name or folder.name} is an exported model, which torch does not read.",
            "Name the run it was exported from.",
        )
    return Embedder.from_export(folder)


def _trained(path: Path, choice: ModelChoice, device: str, report: Reporter) -> Embedder:
    from sbirctl.inference.export import ExportError

    told = report
    if choice.runtime != "torch":
        from sbirctl.pipeline.export import export_checkpoint

        try:
            folder = export_checkpoint(path, weights=choice.weights, report=report)
            return Embedder.from_export(
                folder, checkpoint=str(path.absolute()), weights=choice.weights
            )
        except ExportError as error:
            _stay_on_torch(error, choice, report)
            told = report if error.remembered else SILENT  # else the export has said it
    from sbirctl.galleries import torch_models

    return Embedder.of(
        *torch_models.from_checkpoint(path, device=device, weights=choice.weights, report=told)
    )


def _as_it_comes(
    choice: ModelChoice, layers: Sequence[Layer], device: str, report: Reporter
) -> Embedder:
    from sbirctl.inference.export import ExportError

    weights = choice.weights or "pretrained"
    given = [str(layer["precision"]) for layer in layers if "precision" in layer]
    if choice.runtime != "torch" and given and given[-1] not in ("auto", "fp32", "float32"):
        raise UsageError(
            f"ONNX Runtime computes in fp32 here, not in {given[-1]}.",
            "Add --runtime torch, or leave precision out.",
        )
    if choice.runtime != "torch":
        from sbirctl.pipeline.export import export_model

        try:
            folder = export_model(
                choice.name, layers, weights=weights, seed=choice.seed, report=report
            )
            return Embedder.from_export(folder, weights=weights, seed=choice.seed)
        except ExportError as error:
            _stay_on_torch(error, choice, report)
    from sbirctl.galleries import torch_models

    told = report if choice.runtime == "torch" else SILENT  # else the export has said it
    made = torch_models.from_registry(
        choice.name, layers, device=device, weights=weights, seed=choice.seed, report=told
    )
    return Embedder.of(*made)


def _stay_on_torch(error: Exception, choice: ModelChoice, report: Reporter) -> None:
    """Say that torch makes the vectors; where onnx was asked for, that is an error."""
    if choice.runtime == "onnx":
        raise error
    report.warn(f"{error} Its vectors are made by torch.")
