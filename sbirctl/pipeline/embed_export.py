"""Embed the test side of a data set with an exported model, the starter among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from sbirctl.core.errors import MissingError
from sbirctl.core.files import digest_json
from sbirctl.core.home import home
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.drawings.placement import normalize_placement
from sbirctl.inference.onnx import OnnxEncoder
from sbirctl.store.images import to_pixels

if TYPE_CHECKING:
    from sbirctl.sampling.subsets import ImageSubset, Partition, Subset
    from sbirctl.training.inputs import Inputs

_BATCH = 64


def embed_export(
    folder: Path,
    inputs: Inputs,
    *,
    side: Literal["train", "val", "test"] = "test",
    out: Path | None = None,
    report: Reporter = SILENT,
) -> Path:
    """Write the embeddings; a drawing is put in its place as `search` does.

    Args:
        folder: of the export.
        inputs: data set, task and split.
        side: which part.
        out: the file, None for one in `<home>/embeddings`.

    Raises:
        MissingError: no such data set, or the task has no such side.
        CorruptError, MismatchError: the export or the data set is not what it should be.
    """
    from sbirctl.retrieval.embeddings import write
    from sbirctl.tasks import Holdout
    from sbirctl.training.embedding import to_embeddings

    encoder = OnnxEncoder(folder)
    data = inputs.open(Holdout(0.0))
    part = _part(data.partition, side)
    name, digest = encoder.card["model"], encoder.card["weights_digest"]
    with report.bar("embedding images", len(part.sketch) + len(part.photo)) as advance:
        query = _vectors(encoder, part.sketch, advance)
        gallery = _vectors(encoder, part.photo, advance)
    provenance = replace(data.partition.provenance, model=name, trained=False, side=side)
    made = to_embeddings(
        part,
        query,
        gallery,
        provenance,
        model=name,
        checkpoint=digest,
        store=part.photo.store.digest,
        task=data.inputs.task,
        split=provenance.split or "",
    )
    label = f"{name}-{data.label()}-{digest_json([digest, side, data.identity()])[:8]}.h5"
    target = out or home() / "embeddings" / label
    write(made, target)
    return target


def _part(partition: Partition, side: str) -> Subset:
    part: Subset | None = getattr(partition, side)
    if part is None:
        raise MissingError("An exported model has no validation subset.", "Embed the test side.")
    return part


def _vectors(encoder: OnnxEncoder, side: ImageSubset, advance: object) -> np.ndarray:
    """(len(side), dim) float32; pictures that share their pixels are embedded once."""
    assert callable(advance)
    rows, inverse = np.unique(side.row, return_inverse=True)
    size = encoder.sizes[side.modality]
    parts = [np.empty((0, encoder.dim), dtype=np.float32)]
    for start in range(0, len(rows), _BATCH):
        stored = side.store.read(side.modality, rows[start : start + _BATCH])
        images = [Image.fromarray(one if one.shape[2] == 3 else one[..., 0]) for one in stored]
        if side.modality == "sketch":
            images = [normalize_placement(image, encoder.placement) for image in images]
        pixels = np.stack([to_pixels(image, side.modality, size) for image in images])
        parts.append(encoder.embed(pixels, side.modality))
        advance(len(images))
    return np.concatenate(parts)[inverse]
