"""What `embed` does with an exported model, the starter among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sbirctl.core.errors import MissingError
from sbirctl.core.files import digest_json
from sbirctl.core.home import home
from sbirctl.drawings.placement import normalize_placement
from sbirctl.inference.onnx import OnnxEncoder
from sbirctl.pipeline.embed_jobs import ExportedModel, How, Job
from sbirctl.store.images import to_pixels

if TYPE_CHECKING:
    from sbirctl.sampling.subsets import Subset
    from sbirctl.store.manifest import Modality
    from sbirctl.training.inputs import Inputs


def job_of_export(name: str, folder: Path, inputs: Inputs, how: How) -> Job:
    """What an exported model has to do; a drawing is put in its place as `search` does.

    Args:
        name: as it was typed.
        folder: of the export.
        inputs: data set, task and split.

    Raises:
        MissingError: no such data set, or the task has no such side.
        CorruptError, MismatchError: the export or the data set is not what it should be.
    """
    import torch

    from sbirctl.tasks import Holdout

    encoder = OnnxEncoder(folder, threads=torch.get_num_threads())
    encoder.open()
    data = inputs.open(Holdout(0.0))
    part: Subset | None = getattr(data.partition, how.side)
    if part is None:
        raise MissingError("An exported model has no validation subset.", "Embed the test side.")
    model, digest = encoder.card["model"], encoder.card["weights_digest"]
    content = digest_json([encoder.card["files"], encoder.card["placement"]])
    runtime = "onnx int8" if "int8" in encoder.card else "onnx"
    known, run = data.partition.provenance, encoder.card.get("provenance", {})
    notes = list(known.notes)
    if "run" in run and run.get("split_digest") != known.split_digest:
        notes.append(
            f"{name} was trained on {run.get('dataset')} by the split {run.get('split')}: classes "
            "tested here may be among those; embedding with its run finds them."
        )
    provenance = replace(
        known,
        model=model,
        run=run.get("run"),
        trained="run" in run,
        side=how.side,
        runtime=runtime,
        notes=tuple(notes),
    )
    label = f"{model}-{data.label()}-{digest_json([content, data.identity()])[:8]}"
    return Job(
        name=name,
        model=ExportedModel(encoder, lambda pixels, side: _prepared(encoder, pixels, side)),
        part=part,
        trained=None,
        with_train=False,
        file=how.file(home() / "embeddings" / label),
        wanted={
            "model": model,
            "checkpoint": digest,
            "store": part.photo.store.digest,
            "task": data.inputs.task,
            "split": provenance.split or "",
            "provenance": provenance,
        },
        identity={"export": content},
        again=how.out is not None,  # a file does not say all of the export that made it
    )


def _prepared(encoder: OnnxEncoder, pixels: np.ndarray, modality: Modality) -> np.ndarray:
    """(n, side, side, C) uint8 of stored pictures (n, H, W, C)."""
    size = encoder.sizes[modality]
    images = [Image.fromarray(one if one.shape[2] == 3 else one[..., 0]) for one in pixels]
    if modality == "sketch":
        images = [normalize_placement(image, encoder.placement) for image in images]
    return np.stack([to_pixels(image, modality, size) for image in images])
