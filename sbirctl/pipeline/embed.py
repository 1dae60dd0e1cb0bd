"""Embed the test side of a data set: a run or a model in, an embeddings file out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sbirctl.core.config import parse_assignments, read_layers
from sbirctl.core.device import keep_freed_memory
from sbirctl.core.distributed import ProcessGroup, joined
from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.files import lock, write_json
from sbirctl.core.progress import SILENT, Reporter, going_on
from sbirctl.inference.onnx import export_named

if TYPE_CHECKING:
    from sbirctl.retrieval.embeddings import Embeddings
    from sbirctl.sampling.subsets import Partition, Subset
    from sbirctl.training.config import Flags
    from sbirctl.training.embedding_target import EmbeddingTarget
    from sbirctl.training.resumable_embedding import ResumableEmbedder

SideName = Literal["train", "val", "test"]


def embed(
    source: str | Path,
    *,
    dataset: str = "",
    target: str = "",
    task: str = "",
    split: str = "",
    seed: int = 0,
    side: SideName = "test",
    with_train: bool = False,
    assignments: Sequence[str] = (),
    config: Path | None = None,
    weights: str = "",
    leaks: str = "refuse",
    device: str = "auto",
    workers: int | None = None,
    out: Path | None = None,
    fresh: bool = False,
    report: Reporter = SILENT,
) -> Path:
    """Embed sketches (queries) and photos (gallery) of one side.

    Args:
        source: a run's folder or name, a checkpoint file, a model's name, an exported model's
            folder, or "starter".
        dataset, target, task, split: for a model's name; a checkpoint has its own, and is tested
            on another data set or split where one is named (`training.other_data`).
        seed: for a model's name, of random starting values.
        side: which part; "test" holds the unseen classes.
        with_train: add the embeddings of the training subset's photos and sketches.
        assignments, config: settings, for a model's name; of a run those that only say what is
            embedded (`Model.embedding_settings`).
        weights: where the starting weights are, "" for the published ones or those of training.
        leaks: "refuse" or "drop" what of other data the checkpoint was trained on.
        device: auto, cpu, cuda, …; of several processes (`torchrun`) each takes a GPU of its own.
        workers: reading threads, None for what suits the device.
        out: the file to write, else embeddings.h5 in the run's folder, or a file of its own in
            `<home>/embeddings`.
        fresh: embed again even if the file is there.

    Returns:
        The file. A stopped call is continued by the same call; the file's bytes are the same.
        Without `out` a JSON file beside it says how fast it was made.

    Raises:
        MissingError: no such run or data set, or the task has no such side.
        MismatchError: the checkpoint does not fit the data set.
        CorruptError: the checkpoint is damaged.
    """
    exported = export_named(str(source))
    if exported is not None:
        if assignments or config or weights or with_train:
            raise UsageError(
                "An exported model has its own settings and weights, and only test vectors.",
                "Leave out --set, --config, --weights and --with-train.",
            )
        from sbirctl.pipeline.embed_export import embed_export
        from sbirctl.training.inputs import Inputs

        inputs = Inputs(dataset, target, task or "cg", split)
        return embed_export(exported, inputs, side=side, out=out, report=report)
    given: Flags = {"dataset": dataset, "target": target, "task": task, "split": split}
    with joined(device) as group:
        report = report if group.first else SILENT
        with group.first_process_first():
            found = _open(
                str(source),
                given,
                assignments,
                config,
                weights,
                leaks,
                group.device,
                seed,
                report,
            )
        for note in found.data.partition.provenance.notes:
            report.note(note)
        target_file = out.expanduser() if out else _default_file(found, side)
        wanted = _attributes(found, side)
        if group.broadcast_from_first(lambda: not fresh and _fits(target_file, wanted, with_train)):
            report.note("These embeddings are there already; --fresh makes them again.")
            return target_file
        with going_on(f"while embedding the {side} side"), ExitStack() as held:
            group.broadcast_from_first(lambda: _claim(held, target_file))
            speed = _write(found, side, wanted, with_train, target_file, workers, group, report)
            if group.first and speed:
                report.note("{images:,} images, {images_per_second:,} images/s".format(**speed))
                if out is None:
                    write_json(target_file.with_suffix(".json"), {"schema": 1, **speed})
    return target_file


def _open(
    source: str,
    given: Flags,
    assignments: Sequence[str],
    config: Path | None,
    weights: str,
    leaks: str,
    device: str,
    seed: int,
    report: Reporter,
) -> EmbeddingTarget:
    from sbirctl.models import refuse_missing
    from sbirctl.store.reader import find_store
    from sbirctl.training.find import find_checkpoint, is_model, refuse_settings
    from sbirctl.training.inputs import Inputs
    from sbirctl.training.layers import refuse_wrong

    # What is misspelled is told before torch is imported, which takes seconds.
    refuse_missing(weights or "pretrained")
    if is_model(source):
        layers = read_layers(config, assignments)
        flags: Flags = {**given, "seed": seed, "weights": weights}
        refuse_wrong(source, flags.get("task") or Inputs.task, layers)
        found = Inputs.typed(flags).find()
        from sbirctl.training import embedding_target as targets
        from sbirctl.training.config import training_config

        chosen = training_config(source, layers, report=report, **flags)
        return targets.from_registry(chosen, device=device, found=found)
    refuse_settings([str(config)] if config else [])
    checkpoint = find_checkpoint(source, report)
    for named in (given.get("dataset"), given.get("target")):
        if named:
            find_store(named)
    from sbirctl.training import embedding_target as targets

    return targets.from_checkpoint(
        checkpoint,
        given,
        device=device,
        weights=weights,
        settings=parse_assignments(assignments),
        leaks=leaks,
        report=report,
    )


def _claim(held: ExitStack, target: Path) -> None:
    """Keep other calls away from the file."""
    beside = target.with_name(f".{target.name}.lock")
    held.enter_context(lock(beside, busy=f"{target} is being written"))


def _write(
    found: EmbeddingTarget,
    side: SideName,
    wanted: Mapping[str, Any],
    with_train: bool,
    target: Path,
    workers: int | None,
    group: ProcessGroup,
    report: Reporter,
) -> dict[str, object]:
    """Write the file; gives what was embedded how fast, {} if nothing had to be."""
    import numpy as np

    from sbirctl.retrieval.collapse import vector_signs
    from sbirctl.retrieval.embeddings import write
    from sbirctl.training.embedding import digests, to_embeddings
    from sbirctl.training.resumable_embedding import ResumableEmbedder

    keep_freed_memory()
    partition = found.data.partition
    part = _part(partition, side)
    identity = {"checkpoint": found.digest, "precision": str(found.model.compute_dtype)}
    identity |= {
        key: str(getattr(found.model.settings, key)) for key in found.model.embedding_settings
    }
    if found.provenance.edges is not None:
        identity["edges"] = found.provenance.edges.pixels
    pieces = target.with_name(f"{target.name}.partition")
    gatherer = ResumableEmbedder(
        found.model, pieces, identity, workers=workers, group=group, report=report
    )
    sides = [part.sketch, part.photo]
    if with_train:
        sides += [partition.train.sketch, partition.train.photo]
    vectors = gatherer.gather(sides)
    if not group.first:
        return {}
    query, gallery, *train = vectors
    more: dict[str, Any] = dict(wanted)
    provenance = more.pop("provenance")
    # What was trained on is always named, so that an audit can find leaks.
    both = (partition.train.sketch, partition.train.photo)
    more["train_digest"] = np.concatenate([digests(side) for side in both])
    more["train_classes"] = partition.train.classes
    if with_train:
        more["train"] = np.concatenate(train)
        more["train_label"] = np.concatenate([side.label for side in both]).astype(np.int64)
    made = to_embeddings(part, query, gallery, provenance, **more)
    write(made, target)
    for sign in vector_signs(made):
        report.warn(sign)
    gatherer.clear()
    return _speed(gatherer, group)


def _speed(gatherer: ResumableEmbedder, group: ProcessGroup) -> dict[str, object]:
    import torch

    from sbirctl.training.embedding import device_of

    if not gatherer.images:
        return {}
    return {
        "images": gatherer.images,
        "seconds": round(gatherer.seconds, 3),
        "images_per_second": round(gatherer.images / gatherer.seconds, 1),
        "device": str(device_of(gatherer.model)),
        "precision": str(gatherer.model.compute_dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "processes": group.world,
    }


def _attributes(found: EmbeddingTarget, side: SideName) -> dict[str, object]:
    """What names the vectors: model, digests, task, split and provenance."""
    provenance = replace(found.provenance, side=side)
    return {
        "model": found.model.name,
        "checkpoint": found.digest,
        "store": _part(found.data.partition, side).photo.store.digest,
        "task": found.data.inputs.task,
        "split": provenance.split or "",
        "provenance": provenance,
    }


def _part(partition: Partition, side: SideName) -> Subset:
    part: Subset | None = getattr(partition, side)
    if part is None:
        raise MissingError(
            "This run has no validation subset.",
            "Embed its test side, or train with --set val=auto.",
        )
    return part


def _default_file(found: EmbeddingTarget, side: SideName) -> Path:
    ending = "" if side == "test" else f"-{side}"
    return found.place.with_name(f"{found.place.name}{ending}.h5")


def _fits(path: Path, wanted: Mapping[str, Any], with_train: bool) -> bool:
    """Whether the file holds just these embeddings."""
    from sbirctl.retrieval.embeddings import read

    if not path.is_file():
        return False
    try:
        there: Embeddings = read(path)
    except SbirctlError:
        return False
    keys = ("model", "checkpoint", "store", "task", "split", "provenance")
    same = all(getattr(there, key) == wanted[key] for key in keys)
    return same and (there.train is not None) == with_train
