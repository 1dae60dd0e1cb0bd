"""Embed the test side of a data set: runs or models in, an embeddings file of each out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.config import parse_assignments, read_layers, to_dict
from sbirctl.core.device import slow_precision
from sbirctl.core.distributed import joined
from sbirctl.core.errors import MissingError, UsageError, nearest
from sbirctl.core.progress import SILENT, Reporter, going_on
from sbirctl.inference.encoder import RUNTIMES
from sbirctl.inference.onnx import export_named
from sbirctl.pipeline.embed_jobs import (
    AUTO,
    ExportSource,
    How,
    Job,
    SideName,
    claim,
    refuse_same_file,
    with_runtime,
    write_all,
)

if TYPE_CHECKING:
    from sbirctl.sampling.subsets import Subset
    from sbirctl.training.config import Flags
    from sbirctl.training.embedding_target import EmbeddingTarget


def embed(source: str | Path, *, report: Reporter = SILENT, **options: Any) -> Path:
    """Embed with one run or model; see `embed_all`, whose `options` are the same."""
    (path,) = embed_all([source], report=report, **options)
    return path


def embed_all(
    sources: Sequence[str | Path],
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
    runtime: str = AUTO,
    report: Reporter = SILENT,
) -> list[Path]:
    """Embed sketches (queries) and photos (gallery) of one side, a file a run or model.

    All models are opened before the first image is read. Those that embed the same rows of a data
    set go through it together, and each row is read once; every file is the one that a call of its
    own writes, to the bit. All models are in memory at once, and the vectors of one.

    Args:
        sources: runs' folders or names, checkpoint files, models' names, folders of exported
            models, or "starter".
        dataset, target, task, split: for a model's name; a checkpoint has its own, and is tested
            on another data set or split where one is named (`training.other_data`).
        seed: for a model's name, of random starting values.
        side: which part; "test" holds the unseen classes.
        with_train: add the embeddings of the training subset's photos and sketches.
        assignments, config: settings, for a model's name; of a run `precision` and those that only
            say what is embedded (`Model.embedding_settings`).
        weights: where the starting weights are, "" for the published ones or those of training.
        leaks: "refuse" or "drop" what of other data the checkpoint was trained on.
        device: auto, cpu, cuda, …; of several processes (`torchrun`) each takes a GPU of its own.
        workers: reading threads, None for what suits the device.
        out: the file to write, for one source; else embeddings.h5 in the run's folder, or a file
            of its own in `<home>/embeddings`.
        fresh: embed again even if the file is there.
        runtime: onnx, torch, or auto for the rule of `embed_jobs`.

    Returns:
        The files, in the order of the sources. A stopped call is continued by the same call; the
        files' bytes are the same. Without `out` a JSON file beside each says how fast it was made.

    Raises:
        UsageError: two sources would write the same file, or `out` is given for several.
        MissingError: no such run or data set, or the task has no such side.
        MismatchError: the checkpoint does not fit the data set.
        CorruptError: the checkpoint or export is damaged.
    """
    if runtime not in (AUTO, *RUNTIMES):
        raise UsageError(f"There is no runtime {runtime!r}.", nearest(runtime, (AUTO, *RUNTIMES)))
    names = [str(source) for source in sources]
    if out is not None and len(names) > 1:
        raise UsageError(
            f"--output names one file, and {len(names)} are made.",
            "Leave it out: each goes into its run's folder.",
        )
    exported = [name for name in names if export_named(name) is not None]
    if exported and (assignments or config or weights or with_train):
        raise UsageError(
            "An exported model has its own settings and weights, and only test vectors.",
            "Leave out --set, --config, --weights and --with-train.",
        )
    if exported and runtime == "torch":
        raise UsageError(
            f"{exported[0]} is an exported model, which torch does not read.",
            "Name the run it was exported from.",
        )
    given: Flags = {"dataset": dataset, "target": target, "task": task, "split": split}
    how = How(side, with_train, workers, out, runtime)
    asked = partial(_opening, given=given, assignments=assignments, config=config,
                    weights=weights, leaks=leaks, seed=seed, how=how)  # fmt: skip
    with joined(device) as group:
        report = report if group.first else SILENT
        opening = [asked(name, report=report) for name in names]
        with group.first_process_first():
            jobs = [open_on(group.device) for open_on in opening]
        for slow in dict.fromkeys(map(_slow, jobs)):
            if slow:
                report.warn(slow)
        notes = [note for job in jobs for note in job.wanted["provenance"].notes]
        for note in dict.fromkeys(notes):
            report.note(note)
        refuse_same_file(jobs)
        there = group.broadcast_from_first(
            lambda: [not fresh and job.is_done(runtime) for job in jobs]
        )
        if any(there):
            which = "These" if all(there) else f"{sum(there)} of {len(there)}"
            report.note(f"{which} embeddings are there already; --fresh makes them again.")
        wanted = [job for job, is_there in zip(jobs, there, strict=True) if not is_there]
        with going_on(f"while embedding the {side} side"), ExitStack() as held:
            group.broadcast_from_first(lambda: claim(held, wanted))
            wanted = [with_runtime(job, runtime, report) for job in wanted]
            if wanted:
                write_all(wanted, how, group, report)
    return [job.file for job in jobs]


def _slow(job: Job) -> str:
    """See `slow_precision`."""
    from sbirctl.training.embedding import device_of

    return slow_precision(job.model.compute_dtype, device_of(job.model))


def _job(name: str, found: EmbeddingTarget, how: How, export: ExportSource) -> Job:
    """What a run or model has to do.

    Raises:
        MissingError: it has no such side.
    """
    part: Subset | None = getattr(found.data.partition, how.side)
    if part is None:
        raise MissingError(
            "This run has no validation subset.",
            "Embed its test side, or train with --set val=auto.",
        )
    model, edges = found.model, found.provenance.edges
    runtime = "onnx" if how.runtime == "onnx" else None
    provenance = replace(found.provenance, side=how.side, runtime=runtime)
    identity = {"checkpoint": found.digest, "precision": str(model.compute_dtype)}
    identity |= {key: str(getattr(model.settings, key)) for key in model.embedding_settings}
    return Job(
        name=name,
        model=model,
        part=part,
        trained=found.data.partition.train,
        with_train=how.with_train,
        file=how.file(found.place),
        wanted={
            "model": model.name,
            "checkpoint": found.digest,
            "store": part.photo.store.digest,
            "task": found.data.inputs.task,
            "split": provenance.split or "",
            "provenance": provenance,
        },
        identity=identity if edges is None else {**identity, "edges": edges.pixels},
        export=export,
    )


def _opening(
    source: str,
    given: Flags,
    assignments: Sequence[str],
    config: Path | None,
    weights: str,
    leaks: str,
    seed: int,
    how: How,
    report: Reporter,
) -> Callable[[str], Job]:
    """What opens a run or model on a device; what is misspelled is told before.

    Until then torch, which takes seconds, is not imported.
    """
    from sbirctl.models import reads_edges, refuse_missing
    from sbirctl.store.reader import find_store
    from sbirctl.training.find import find_checkpoint, is_model, refuse_settings
    from sbirctl.training.inputs import Inputs
    from sbirctl.training.layers import refuse_wrong

    if (folder := export_named(source)) is not None:
        from sbirctl.pipeline.embed_export import job_of_export

        inputs = Inputs.typed(given)
        return lambda device: job_of_export(source, folder, inputs, how)  # noqa: ARG005
    refuse_missing(weights or "pretrained")
    if is_model(source):
        layers = read_layers(config, assignments)
        flags: Flags = {**given, "seed": seed, "weights": weights}
        refuse_wrong(source, flags.get("task") or Inputs.task, layers)
        found = Inputs.typed(flags).find()
        if reads_edges(source, layers):
            (found.target or found.source).require_edges()

        def as_it_is(device: str) -> Job:
            from sbirctl.pipeline.export import export_model
            from sbirctl.training import embedding_target as targets
            from sbirctl.training.config import training_config

            chosen = training_config(source, layers, report=report, **flags)
            make = partial(
                export_model,
                source,
                [to_dict(chosen.settings)],
                weights=chosen.weights,
                seed=seed,
                opened=True,
                report=report,
            )
            target = targets.from_registry(chosen, device=device, found=found, report=report)
            return _job(source, target, how, ExportSource(int(chosen.settings.size), make))

        return as_it_is
    refuse_settings([str(config)] if config else [])
    checkpoint = find_checkpoint(source, report)
    for named in (given.get("dataset"), given.get("target")):
        if named:
            find_store(named)

    def trained(device: str) -> Job:
        from sbirctl.pipeline.export import export_checkpoint, exported_size
        from sbirctl.training import embedding_target as targets
        from sbirctl.training.checkpoint import read_checkpoint

        make = partial(export_checkpoint, checkpoint, weights=weights, opened=True, report=report)
        target = targets.from_checkpoint(
            checkpoint,
            given,
            device=device,
            weights=weights,
            settings=parse_assignments(assignments),
            leaks=leaks,
            report=report,
        )
        size = exported_size(read_checkpoint(checkpoint, tensors=False))
        return _job(source, target, how, ExportSource(size, None if assignments else make))

    return trained
