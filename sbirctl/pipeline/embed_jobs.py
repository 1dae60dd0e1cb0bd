"""What `embed` does with open models: which file each writes, and writing them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sbirctl.core.device import keep_freed_memory
from sbirctl.core.distributed import ProcessGroup
from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.files import display_path, lock
from sbirctl.core.progress import Reporter
from sbirctl.pipeline.embed_runtime import exported_encoder, use_export

if TYPE_CHECKING:
    import numpy as np

    from sbirctl.retrieval.embeddings import Embeddings
    from sbirctl.sampling.subsets import ImageSubset, Subset
    from sbirctl.training.embedding_target import EmbeddingTarget
    from sbirctl.training.resumable_embedding import ResumableEmbedder

SideName = Literal["train", "val", "test"]


@dataclass(frozen=True)
class How:
    """Of what is asked for, that which is not about a model; see `embed_all`."""

    side: SideName
    with_train: bool
    workers: int | None
    out: Path | None
    fresh: bool
    runtime: str


class Opened(NamedTuple):
    """A model with what it embeds, and what gives its export; None where that would differ."""

    found: EmbeddingTarget
    export: Callable[[], Path] | None


@dataclass(frozen=True)
class Job:
    """A model, what it embeds, and the file it goes to.

    Attributes:
        sides: sketches and photos, then those of the training subset where they are asked for.
        wanted: what names the vectors, as the file keeps it.
    """

    found: EmbeddingTarget
    part: Subset
    sides: list[ImageSubset]
    with_train: bool
    file: Path
    wanted: Mapping[str, Any]

    def is_done(self) -> bool:
        """Whether the file holds just these embeddings."""
        from sbirctl.retrieval.embeddings import read

        if not self.file.is_file():
            return False
        try:
            there: Embeddings = read(self.file)
        except SbirctlError:
            return False
        keys = ("model", "checkpoint", "store", "task", "split", "provenance")
        same = all(getattr(there, key) == self.wanted[key] for key in keys)
        return same and (there.train is not None) == self.with_train


def job_of(opened: Opened, how: How, report: Reporter) -> Job:
    """What an open model has to do.

    Raises:
        MissingError: it has no such side.
        UsageError: ONNX Runtime is asked for and cannot be, see `embed_runtime`.
    """
    found = opened.found
    part: Subset | None = getattr(found.data.partition, how.side)
    if part is None:
        raise MissingError(
            "This run has no validation subset.",
            "Embed its test side, or train with --set val=auto.",
        )
    ending = "" if how.side == "test" else f"-{how.side}"
    file = found.place.with_name(f"{found.place.name}{ending}.h5")
    train = found.data.partition.train
    sides = [part.sketch, part.photo, *((train.sketch, train.photo) if how.with_train else ())]
    encoder = exported_encoder(how.runtime, found.model, sides, opened.export, report)
    if encoder is not None:
        use_export(found.model, encoder)
    name = None if encoder is None else "onnx"
    provenance = replace(found.provenance, side=how.side, runtime=name)
    wanted = {
        "model": found.model.name,
        "checkpoint": found.digest,
        "store": part.photo.store.digest,
        "task": found.data.inputs.task,
        "split": provenance.split or "",
        "provenance": provenance,
    }
    file = how.out.expanduser() if how.out else file
    return Job(found, part, sides, how.with_train, file, wanted)


def refuse_same_file(names: Sequence[str], jobs: Sequence[Job]) -> None:
    """Raise UsageError where two of them would write one file."""
    first: dict[Path, str] = {}
    for name, job in zip(names, jobs, strict=True):
        place = job.file.absolute()
        if place in first:
            both = f"{display_path(first[place])} and {display_path(name)}"
            raise UsageError(
                f"{display_path(name)} is named twice."
                if first[place] == name
                else f"{both} are the same model on the same data.",
                "Name it once.",
            )
        first[place] = name


def claim(held: ExitStack, jobs: Sequence[Job]) -> None:
    """Keep other calls away from the files."""
    for job in jobs:
        beside = job.file.with_name(f".{job.file.name}.lock")
        held.enter_context(lock(beside, busy=f"{job.file} is being written"))


def write_all(
    jobs: Sequence[Job], workers: int | None, group: ProcessGroup, report: Reporter
) -> list[dict[str, object]]:
    """Write the files; gives of each what was embedded how fast, {} if nothing had to be."""
    from sbirctl.training.resumable_embedding import ResumableEmbedder, gather_all

    keep_freed_memory()
    embedders = []
    for job in jobs:
        pieces = job.file.with_name(f"{job.file.name}.partition")
        embedders.append(
            ResumableEmbedder(
                job.found.model, pieces, _identity(job), workers=workers, group=group, report=report
            )
        )
    vectors = gather_all(embedders, [job.sides for job in jobs])
    if not group.first:
        return []
    for job, embedder, found in zip(jobs, embedders, vectors, strict=True):
        _write(job, found, report)
        embedder.clear()
    speeds = [_speed(embedder, len(jobs), group) for embedder in embedders]
    made = sum(embedder.images for embedder in embedders)
    if made and len(jobs) > 1:
        report.note(f"{made:,} vectors by {len(jobs)} models")
    elif made:
        report.note("{images:,} images, {images_per_second:,} images/s".format(**speeds[0]))
    return speeds


def _identity(job: Job) -> dict[str, str]:
    """What decides the vectors besides the rows."""
    model = job.found.model
    found = {"checkpoint": job.found.digest, "precision": str(model.compute_dtype)}
    found |= {key: str(getattr(model.settings, key)) for key in model.embedding_settings}
    if job.wanted["provenance"].runtime:
        found["runtime"] = job.wanted["provenance"].runtime
    if job.found.provenance.edges is not None:
        found["edges"] = job.found.provenance.edges.pixels
    return found


def _write(job: Job, vectors: Sequence[np.ndarray], report: Reporter) -> None:
    import numpy as np

    from sbirctl.retrieval.collapse import vector_signs
    from sbirctl.retrieval.embeddings import write
    from sbirctl.training.embedding import digests, to_embeddings

    query, gallery, *train = vectors
    more: dict[str, Any] = dict(job.wanted)
    provenance = more.pop("provenance")
    # What was trained on is always named, so that an audit can find leaks.
    trained = job.found.data.partition.train
    both = (trained.sketch, trained.photo)
    more["train_digest"] = np.concatenate([digests(side) for side in both])
    more["train_classes"] = trained.classes
    if job.with_train:
        more["train"] = np.concatenate(train)
        more["train_label"] = np.concatenate([side.label for side in both]).astype(np.int64)
    made = to_embeddings(job.part, query, gallery, provenance, **more)
    write(made, job.file)
    for sign in vector_signs(made):
        report.warn(sign)


def _speed(embedder: ResumableEmbedder, models: int, group: ProcessGroup) -> dict[str, object]:
    import torch

    from sbirctl.training.embedding import device_of

    if not embedder.images:
        return {}
    # Of several models together nobody knows which took how long.
    alone = {"images_per_second": round(embedder.images / embedder.seconds, 1)}
    return {
        "images": embedder.images,
        "seconds": round(embedder.seconds, 3),
        **(alone if models == 1 else {"models": models}),
        "device": str(device_of(embedder.model)),
        "precision": str(embedder.model.compute_dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "processes": group.world,
    }
