"""Embed the test side of a data set: runs or models in, an embeddings file of each out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.config import parse_assignments, read_layers, to_dict
from sbirctl.core.device import slow_precision
from sbirctl.core.distributed import joined
from sbirctl.core.errors import UsageError
from sbirctl.core.files import write_json
from sbirctl.core.progress import SILENT, Reporter, going_on
from sbirctl.inference.onnx import export_named
from sbirctl.pipeline.embed_jobs import (
    How,
    Opened,
    SideName,
    claim,
    job_of,
    refuse_same_file,
    write_all,
)
from sbirctl.pipeline.embed_runtime import AUTO, check_runtime

if TYPE_CHECKING:
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
    own writes, to the bit. All models are in memory at once. Exported ones follow one by one.

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
        runtime: onnx, torch, or auto for the rule of `embed_runtime`.

    Returns:
        The files, in the order of the sources. A stopped call is continued by the same call; the
        files' bytes are the same. Without `out` a JSON file beside each says how fast it was made.

    Raises:
        UsageError: two sources would write the same file, or `out` is given for several.
        MissingError: no such run or data set, or the task has no such side.
        MismatchError: the checkpoint does not fit the data set.
        CorruptError: the checkpoint is damaged.
    """
    check_runtime(runtime)
    names = [str(source) for source in sources]
    if out is not None and len(names) > 1:
        raise UsageError(
            f"--output names one file, and {len(names)} are made.",
            "Leave it out: each goes into its run's folder.",
        )
    exported = {name: folder for name in names if (folder := export_named(name)) is not None}
    if exported and (assignments or config or weights or with_train):
        raise UsageError(
            "An exported model has its own settings and weights, and only test vectors.",
            "Leave out --set, --config, --weights and --with-train.",
        )
    own = [name for name in names if name not in exported]
    given: Flags = {"dataset": dataset, "target": target, "task": task, "split": split}
    found: dict[str, Path] = {}
    if own:
        asked = partial(_opening, given=given, assignments=assignments, config=config,
                        weights=weights, leaks=leaks, seed=seed)  # fmt: skip
        how = How(side, with_train, workers, out, fresh, runtime)
        found.update(zip(own, _embed_together(own, asked, how, device, report), strict=True))
    if exported:
        from sbirctl.pipeline.embed_export import embed_export
        from sbirctl.training.inputs import Inputs

        inputs = Inputs(dataset, target, task or "cg", split)
        for name, folder in exported.items():
            found[name] = embed_export(folder, inputs, side=side, out=out, report=report)
    return [found[name] for name in names]


def _embed_together(
    names: Sequence[str],
    asked: Callable[..., Callable[[str], Opened]],
    how: How,
    device: str,
    report: Reporter,
) -> list[Path]:
    with joined(device) as group:
        report = report if group.first else SILENT
        opening = [asked(name, report=report) for name in names]
        with group.first_process_first():
            opened = [open_on(group.device) for open_on in opening]
        targets = [one.found for one in opened]
        for slow in dict.fromkeys(map(_slow, targets)):
            if slow:
                report.warn(slow)
        notes = [note for one in targets for note in one.data.partition.provenance.notes]
        for note in dict.fromkeys(notes):
            report.note(note)
        jobs = [job_of(one, how, report) for one in opened]
        refuse_same_file(names, jobs)
        there = group.broadcast_from_first(
            lambda: [not how.fresh and job.is_done() for job in jobs]
        )
        if any(there):
            which = "These" if all(there) else f"{sum(there)} of {len(there)}"
            report.note(f"{which} embeddings are there already; --fresh makes them again.")
        wanted = [job for job, is_there in zip(jobs, there, strict=True) if not is_there]
        with going_on(f"while embedding the {how.side} side"), ExitStack() as held:
            group.broadcast_from_first(lambda: claim(held, wanted))
            speeds = write_all(wanted, how.workers, group, report) if wanted else []
            for job, speed in zip(wanted, speeds, strict=False):
                if speed and how.out is None:
                    write_json(job.file.with_suffix(".json"), {"schema": 1, **speed})
    return [job.file for job in jobs]


def _slow(found: EmbeddingTarget) -> str:
    """See `slow_precision`."""
    from sbirctl.training.embedding import device_of

    return slow_precision(found.model.compute_dtype, device_of(found.model))


def _opening(
    source: str,
    given: Flags,
    assignments: Sequence[str],
    config: Path | None,
    weights: str,
    leaks: str,
    seed: int,
    report: Reporter,
) -> Callable[[str], Opened]:
    """What opens a run or model on a device; what is misspelled is told before.

    Until then torch, which takes seconds, is not imported.
    """
    from sbirctl.models import reads_edges, refuse_missing
    from sbirctl.store.reader import find_store
    from sbirctl.training.find import find_checkpoint, is_model, refuse_settings
    from sbirctl.training.inputs import Inputs
    from sbirctl.training.layers import refuse_wrong

    refuse_missing(weights or "pretrained")
    if is_model(source):
        layers = read_layers(config, assignments)
        flags: Flags = {**given, "seed": seed, "weights": weights}
        refuse_wrong(source, flags.get("task") or Inputs.task, layers)
        found = Inputs.typed(flags).find()
        if reads_edges(source, layers):
            (found.target or found.source).require_edges()

        def as_it_is(device: str) -> Opened:
            from sbirctl.pipeline.export import export_model
            from sbirctl.training import embedding_target as targets
            from sbirctl.training.config import training_config

            chosen = training_config(source, layers, report=report, **flags)
            own = [to_dict(chosen.settings)]
            export = partial(
                export_model, source, own, weights=chosen.weights, seed=seed, report=report
            )
            return Opened(
                targets.from_registry(chosen, device=device, found=found, report=report), export
            )

        return as_it_is
    refuse_settings([str(config)] if config else [])
    checkpoint = find_checkpoint(source, report)
    for named in (given.get("dataset"), given.get("target")):
        if named:
            find_store(named)

    def trained(device: str) -> Opened:
        from sbirctl.pipeline.export import export_checkpoint
        from sbirctl.training import embedding_target as targets

        export = partial(export_checkpoint, checkpoint, weights=weights, report=report)
        target = targets.from_checkpoint(
            checkpoint,
            given,
            device=device,
            weights=weights,
            settings=parse_assignments(assignments),
            leaks=leaks,
            report=report,
        )
        return Opened(target, None if assignments else export)

    return trained
