"""What `embed` does with open models: which file each writes, by torch or ONNX Runtime, and when.

A rule decides between the two, never a clock: on a processor, from `ROWS` tested images on, where
the model can be exported. Exporting took 12 to 34 s and was paid back from 1,600 to 6,500 images on
(benchmarks/results/training.md). A file made so says so in its provenance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from sbirctl.core.device import keep_freed_memory
from sbirctl.core.distributed import ProcessGroup, world
from sbirctl.core.errors import MismatchError, SbirctlError, UsageError
from sbirctl.core.files import digest_json, display_path, lock, write_json
from sbirctl.core.progress import Reporter
from sbirctl.inference.onnx import OnnxEncoder

if TYPE_CHECKING:
    import torch

    from sbirctl.retrieval.embeddings import Embeddings
    from sbirctl.sampling.subsets import ImageSubset, Subset
    from sbirctl.store.manifest import Modality
    from sbirctl.training.embedding import Embeds
    from sbirctl.training.resumable_embedding import ResumableEmbedder

SideName = Literal["train", "val", "test"]
AUTO = "auto"
ROWS = 10_000


@dataclass(frozen=True)
class How:
    """Of what is asked for, that which is not about a model; see `embed_all`."""

    side: SideName
    with_train: bool
    workers: int | None
    out: Path | None
    runtime: str

    def file(self, place: Path) -> Path:
        """The file to write; `place` is the default one, without side and ending."""
        ending = "" if self.side == "test" else f"-{self.side}"
        return self.out.expanduser() if self.out else place.with_name(f"{place.name}{ending}.h5")


class ExportSource(NamedTuple):
    """A model's export that ONNX Runtime may embed with in torch's place.

    Attributes:
        size: side in pixels of the pictures that it takes.
        make: gives its folder; None where it would have other settings than those of embedding.
    """

    size: int
    make: Callable[[], Path] | None


@dataclass(frozen=True)
class Job:
    """A model, what it embeds, and the file it goes to.

    Attributes:
        name: the model's, as it was typed.
        trained: what it was trained on; None for an export, which does not say.
        with_train: whether that is embedded, too.
        wanted: what names the vectors, as the file keeps it.
        identity: what decides the vectors besides the rows.
        export: None for a model that is one.
    """

    name: str
    model: Embeds
    part: Subset
    trained: Subset | None
    with_train: bool
    file: Path
    wanted: Mapping[str, Any]
    identity: Mapping[str, str]
    export: ExportSource | None = None
    again: bool = False

    @property
    def sides(self) -> list[ImageSubset]:
        """What is embedded: sketches and photos, then those trained on where they are asked for."""
        more = self.trained if self.with_train else None
        return [side for part in (self.part, more) if part for side in (part.sketch, part.photo)]

    def is_done(self, runtime: str) -> bool:
        """Whether the file holds these embeddings; with `AUTO` of whichever runtime."""
        from sbirctl.retrieval.embeddings import read

        if self.again or not self.file.is_file():
            return False
        try:
            there: Embeddings = read(self.file)
        except SbirctlError:
            return False
        wanted = dict(self.wanted)
        if runtime == AUTO and self.export is not None:
            made = there.provenance.runtime
            wanted["provenance"] = replace(wanted["provenance"], runtime=made)
        same = all(getattr(there, key) == value for key, value in wanted.items())
        return same and (there.train is not None or not self.with_train)


class ExportedModel:
    """An export where embedding takes a model.

    Args:
        prepare: what is done to stored pixels (n, H, W, C) uint8 before; None for nothing.
    """

    needs_edges = False
    training = False

    def __init__(
        self,
        encoder: OnnxEncoder,
        prepare: Callable[[np.ndarray, Modality], np.ndarray] | None = None,
    ) -> None:
        import torch

        self.dim = encoder.dim
        self.compute_dtype = torch.float32
        self._encoder, self._prepare = encoder, prepare
        self._on = torch.zeros(0)

    def buffers(self) -> Any:
        """One on the processor, where it computes."""
        return iter([self._on])

    def train(self, mode: bool = True) -> None:
        """Nothing: it has no other mode."""

    def embed(
        self, images: torch.Tensor, modality: Modality, edges: torch.Tensor | None = None
    ) -> torch.Tensor:
        """See `Model.embed`."""
        import torch

        assert edges is None
        pixels = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
        if self._prepare is not None:
            pixels = self._prepare(pixels, modality)
        return torch.from_numpy(self._encoder.embed(pixels, modality))


def refuse_same_file(jobs: Sequence[Job]) -> None:
    """Raise UsageError where two of them would write one file."""
    first: dict[Path, str] = {}
    for job in jobs:
        name, place = job.name, job.file.resolve()
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


def with_runtime(job: Job, wanted: str, report: Reporter) -> Job:
    """The job by the runtime that makes its vectors; a model is exported where that is ONNX.

    Args:
        wanted: onnx, torch, or `AUTO` for the rule, which asks what is tested alone, so that
            `with_train` changes no test vector.
        report: is told where the rule takes ONNX Runtime, and warned where that does not succeed.

    Raises:
        UsageError: onnx is wanted and cannot be.
        CorruptError, MismatchError, inference.export.ExportError: it is wanted, and the export is
            damaged, of other weights, or cannot be made.
    """
    rows = sum(len(np.unique(side.row)) for side in (job.part.sketch, job.part.photo))
    if job.export is None or wanted == "torch" or (wanted == AUTO and rows < ROWS):
        return job
    if reason := _against(job, job.export):
        if wanted == AUTO:
            return job
        raise UsageError(f"ONNX Runtime does not embed this: {reason}.", "Leave out --runtime.")
    import torch

    assert job.export.make is not None
    try:
        encoder = OnnxEncoder(job.export.make(), threads=torch.get_num_threads())
        if encoder.card["weights_digest"] != job.wanted["checkpoint"]:
            raise MismatchError(
                f"The export in {display_path(encoder.folder)} is of other weights.",
                "Type `sbirctl export RUN`, which makes it again.",
            )
        encoder.open()
    except (SbirctlError, OSError) as error:
        if wanted != AUTO:
            raise
        report.warn(f"{error} Its vectors are made by torch.")
        return job
    if wanted == AUTO:
        report.note(f"ONNX Runtime makes the vectors of {rows:,} images; else --runtime torch.")
    provenance = replace(job.wanted["provenance"], runtime="onnx")
    return replace(
        job,
        model=ExportedModel(encoder),
        wanted={**job.wanted, "provenance": provenance},
        identity={**job.identity, "export": digest_json(encoder.card["files"])},
    )


def _against(job: Job, export: ExportSource) -> str:
    """Why ONNX Runtime cannot make a model's vectors, in words; "" where it can."""
    from sbirctl.training.embedding import device_of

    if device_of(job.model).type != "cpu":
        return "it computes on the processor alone"
    if world() > 1:
        return "several processes share the work"
    if str(job.model.compute_dtype) != "torch.float32":
        return "it computes in fp32"
    if job.model.needs_edges:
        return "the model reads edge maps"
    if export.make is None:
        return "the settings are others here"
    stores = {part.photo.store.size for part in (job.part, job.trained) if part}
    if stores == {export.size}:
        return ""
    sizes = " and ".join(map(str, sorted(stores - {export.size})))
    return f"the export takes {export.size} pixels, and the data set has {sizes}"


def write_all(jobs: Sequence[Job], how: How, group: ProcessGroup, report: Reporter) -> None:
    """Write the files, and beside each that `how` does not name how fast it was made."""
    from sbirctl.training.resumable_embedding import ResumableEmbedder, make_pieces

    keep_freed_memory()
    embedders = [
        ResumableEmbedder(
            job.model,
            job.file.with_name(f"{job.file.name}.partition"),
            dict(job.identity),
            workers=how.workers,
            group=group,
            report=report,
        )
        for job in jobs
    ]
    make_pieces(embedders, [job.sides for job in jobs])
    if not group.first:
        return
    for job, embedder in zip(jobs, embedders, strict=True):
        _write(job, embedder.load(job.sides), report)
        embedder.clear()
        if embedder.images and how.out is None:
            speed = _speed(job, embedder, group)
            write_json(job.file.with_suffix(".json"), {"schema": 1, **speed})
    made = sum(embedder.images for embedder in embedders)
    if made and len(jobs) > 1:
        report.note(f"{made:,} vectors by {len(jobs)} models")
    elif made:
        rate = embedders[0].images / embedders[0].seconds
        report.note(f"{made:,} images, {rate:,.1f} images/s")


def _write(job: Job, vectors: Sequence[np.ndarray], report: Reporter) -> None:
    from sbirctl.retrieval.collapse import vector_signs
    from sbirctl.retrieval.embeddings import write
    from sbirctl.training.embedding import digests, to_embeddings

    query, gallery, *train = vectors
    more: dict[str, Any] = dict(job.wanted)
    provenance = more.pop("provenance")
    if job.trained is not None:  # always named, so that an audit can find leaks
        both = (job.trained.sketch, job.trained.photo)
        more["train_digest"] = np.concatenate([digests(side) for side in both])
        more["train_classes"] = job.trained.classes
        if job.with_train:
            more["train"] = np.concatenate(train)
            more["train_label"] = np.concatenate([side.label for side in both]).astype(np.int64)
    made = to_embeddings(job.part, query, gallery, provenance, **more)
    write(made, job.file)
    for sign in vector_signs(made):
        report.warn(sign)


def _speed(job: Job, embedder: ResumableEmbedder, group: ProcessGroup) -> dict[str, object]:
    import torch

    from sbirctl.training.embedding import device_of

    # Of several models together nobody knows which took how long.
    alone = {"images_per_second": round(embedder.images / embedder.seconds, 1)}
    return {
        "images": embedder.images,
        "seconds": round(embedder.seconds, 3),
        **(alone if embedder.models == 1 else {"models": embedder.models}),
        "device": str(device_of(job.model)),
        "precision": str(job.model.compute_dtype).removeprefix("torch."),
        "runtime": job.wanted["provenance"].runtime or "torch",
        "threads": torch.get_num_threads(),
        "processes": group.world,
    }
