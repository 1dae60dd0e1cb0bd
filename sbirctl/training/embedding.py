"""Embedding many stored images, what a score needs to know about them, and scores in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from sbirctl.core.device import auto_workers
from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.core.errors import MismatchError
from sbirctl.core.read_ahead import read_ahead
from sbirctl.models import Model
from sbirctl.retrieval.chance import chance_levels
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.metrics import parse
from sbirctl.retrieval.provenance import Provenance
from sbirctl.sampling.subsets import ImageSubset, Subset
from sbirctl.store.manifest import Modality
from sbirctl.store.reader import Store
from sbirctl.training.loader import to_tensor

# Float32 products differ in the last bits with the batch's size, so it is no option.
BATCH = 64
# The figure that chooses the epoch, on the validation subset.
SELECTION_METRIC = "map@all"
_ALWAYS = (SELECTION_METRIC, "prec@10")
_PAIRED = ("acc@1", "acc@10")

Advance = Callable[[int], object]


class Embeds(Protocol):
    """What of a `Model` embedding needs."""

    dim: int
    compute_dtype: torch.dtype
    training: bool

    @property
    def needs_edges(self) -> bool: ...

    def buffers(self) -> Iterator[Tensor]: ...

    def train(self, mode: bool = True) -> Any: ...

    def embed(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """See `Model.embed`."""
        ...


def device_of(model: Embeds) -> torch.device:
    """Where a model's buffers, and so its inputs, live."""
    return next(model.buffers()).device


def embed_side(
    model: Model,
    side: ImageSubset,
    *,
    workers: int | None = None,
    advance: Advance | None = None,
    group: ProcessGroup = SINGLE,
) -> np.ndarray:
    """Embeddings of one side; images that share their pixels are embedded once.

    Returns:
        (len(side), dim) float32, L2-normalised.
    """
    rows, inverse = np.unique(side.row, return_inverse=True)
    (found,) = embed_rows(
        [model], side.store, side.modality, rows, workers=workers, advance=advance, group=group
    )
    return found[inverse]


def embed_rows(
    models: Sequence[Embeds],
    store: Store,
    modality: Modality,
    rows: np.ndarray,
    *,
    workers: int | None = None,
    advance: Advance | None = None,
    group: ProcessGroup = SINGLE,
) -> list[np.ndarray]:
    """Embeddings of pixel rows of a store, in evaluation mode; the models' modes are kept.

    Every row is read once, whatever the number of models, and a model's vectors are those it makes
    alone. Whole batches are dealt to the processes, so that every vector is what one process makes.

    Args:
        models: on one device.
        rows: (n,) int64.
        workers: reading threads, None for what suits the device.
        advance: called with the number of images after every batch.
        group: the processes that share the work; all of them get all rows.

    Returns:
        Of each model (n, dim) float32, L2-normalised.
    """
    device = device_of(models[0])
    count = auto_workers(device) if workers is None else workers
    training = [model.training for model in models]
    for model in models:
        model.train(False)
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    dealt = [batches[rank :: group.world] for rank in range(group.world)]
    made: list[list[Tensor]] = [[torch.zeros(0, model.dim, device=device)] for model in models]
    try:
        with torch.inference_mode():
            for images, edges in _batches(models, store, modality, dealt[group.rank], count):
                for model, vectors in zip(models, made, strict=True):
                    vectors.append(model.embed(images, modality, _edges_for(model, edges)))
                if advance is not None:
                    advance(len(images) * group.world)
    finally:
        for model, before in zip(models, training, strict=True):
            model.train(before)
    return [_gathered(torch.cat(vectors), batches, group) for vectors in made]


def _edges_for(model: Embeds, edges: Tensor | None) -> Tensor | None:
    return edges if model.needs_edges else None


def _gathered(own: Tensor, batches: Sequence[np.ndarray], group: ProcessGroup) -> np.ndarray:
    """The vectors of all batches in their order, from those each process made of its own."""
    counts = [sum(map(len, batches[rank :: group.world])) for rank in range(group.world)]
    shares = group.all_gather_rows(own.float().cpu().numpy(), counts)
    found = np.empty((sum(map(len, batches)), own.shape[1]), dtype=np.float32)
    for index, batch in enumerate(batches):
        start = index // group.world * BATCH
        rank = index % group.world
        found[index * BATCH : index * BATCH + len(batch)] = shares[rank][start : start + len(batch)]
    return found


def _batches(
    models: Sequence[Embeds],
    store: Store,
    modality: Modality,
    batches: Sequence[np.ndarray],
    workers: int,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    device = device_of(models[0])
    wants_edges = modality == "photo" and any(model.needs_edges for model in models)

    def read(wanted: np.ndarray) -> tuple[Tensor, Tensor | None]:
        images = to_tensor(store.read(modality, wanted))
        edges = to_tensor(store.read_edges(wanted)) if wants_edges else None
        if device.type == "cuda":
            images = images.pin_memory()
            edges = None if edges is None else edges.pin_memory()
        return images, edges

    for images, edges in read_ahead(batches, read, workers):
        images = images.to(device, non_blocking=True)
        yield images, None if edges is None else edges.to(device, non_blocking=True)


def to_embeddings(
    subset: Subset,
    query: np.ndarray,
    gallery: np.ndarray,
    provenance: Provenance,
    **more: Any,
) -> Embeddings:
    """A subset's sketches as queries and its photos as gallery.

    Args:
        subset: whose labels, instances, paths and digests are taken.
        query: (sketches, dim) embeddings. gallery: (photos, dim).
        provenance: its `scope` says what a sketch is ranked against.
        more: further fields of `Embeddings` (model, checkpoint, train, …).
    """
    paired = bool((subset.sketch.instance >= 0).any() and (subset.photo.instance >= 0).any())
    grouped = provenance.scope == "class"
    return Embeddings(
        query=query,
        gallery=gallery,
        query_label=subset.sketch.label.astype(np.int64),
        gallery_label=subset.photo.label.astype(np.int64),
        classes=subset.classes,
        query_instance=subset.sketch.instance.astype(np.int64) if paired else None,
        gallery_instance=subset.photo.instance.astype(np.int64) if paired else None,
        query_path=paths(subset.sketch),
        gallery_path=paths(subset.photo),
        query_digest=digests(subset.sketch),
        gallery_digest=digests(subset.photo),
        query_group=_group(subset.sketch) if grouped else None,
        gallery_group=_group(subset.photo) if grouped else None,
        groups=subset.photo.store.items.classes if grouped else (),
        scope="class" if grouped else "all",
        seen=subset.seen,
        provenance=provenance,
        **more,
    )


def paths(side: ImageSubset) -> np.ndarray:
    """(n,) fixed-length bytes: the paths below the data set's source."""
    return np.array([side.store.items.path[i] for i in side.item], dtype=np.bytes_)


def digests(side: ImageSubset) -> np.ndarray:
    """(n,) S64: SHA-256 of the source files, hexadecimal."""
    return np.array([side.store.items.digest[i] for i in side.item], dtype=np.bytes_)


def _group(side: ImageSubset) -> np.ndarray:
    groups: np.ndarray = side.store.items.label[side.item].astype(np.int64)
    return groups


def validate(
    model: Model,
    subset: Subset,
    provenance: Provenance,
    *,
    workers: int | None = None,
    group: ProcessGroup = SINGLE,
) -> tuple[dict[str, float], float]:
    """Retrieval figures in training: the validation subset chooses the epoch, the test never.

    They are those of a subset's sketches against its photos, by name, in the default definition.

    Args:
        provenance: the partition's; the fine-grained task has acc@K, too.
        group: the processes that embed; the first one evaluates.

    Returns:
        {metric: figure}, and the chance level of `SELECTION_METRIC`.

    Raises:
        MismatchError: no sketch of the subset has a photo of its class in it.
    """
    query = embed_side(model, subset.sketch, workers=workers, group=group)
    gallery = embed_side(model, subset.photo, workers=workers, group=group)
    names = _ALWAYS + (_PAIRED if provenance.task == "fg" else ())

    def figures() -> tuple[dict[str, float | None], float]:
        embeddings = to_embeddings(subset, query, gallery, provenance)
        (result,) = evaluate(embeddings, [parse(name) for name in names], [Definition()])
        chance = chance_levels(embeddings, result, [parse(SELECTION_METRIC)])
        return {name: result.mean(name) for name in names}, chance[SELECTION_METRIC] or 0.0

    found, chance = group.broadcast_from_first(figures)
    if found[SELECTION_METRIC] is None:
        raise MismatchError(
            "No sketch of the validation subset has a photo of its class.", "Use --set val=none."
        )
    return {name: value for name, value in found.items() if value is not None}, chance
