"""What computes the vectors of `embed`: torch, or ONNX Runtime where that pays.

A rule decides, never a clock: on a processor, from `ROWS` images on, where the model can be
exported. Exporting took 12 to 34 s and was paid back from 1,600 to 6,500 images on
(benchmarks/results/training.md). A file made so says so in its provenance.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sbirctl.core.errors import UsageError, nearest
from sbirctl.core.progress import Reporter
from sbirctl.inference.encoder import RUNTIMES
from sbirctl.inference.onnx import OnnxEncoder

if TYPE_CHECKING:
    from torch import Tensor

    from sbirctl.models import Model
    from sbirctl.sampling.subsets import ImageSubset
    from sbirctl.store.manifest import Modality

AUTO = "auto"
ROWS = 10_000


def check_runtime(wanted: str) -> None:
    """Raise UsageError for what is no runtime."""
    if wanted not in (AUTO, *RUNTIMES):
        raise UsageError(f"There is no runtime {wanted!r}.", nearest(wanted, (AUTO, *RUNTIMES)))


def exported_encoder(
    wanted: str,
    model: Model,
    sides: list[ImageSubset],
    export: Callable[[], Path] | None,
    report: Reporter,
) -> OnnxEncoder | None:
    """The export that makes a model's vectors, None where torch makes them.

    Args:
        wanted: onnx, torch, or auto for the rule.
        model: on its device.
        sides: what is embedded.
        export: gives the model's export, made where it is not there; None where the settings of
            embedding are other ones than the export would have.
        report: is warned where the rule would have it and the export does not succeed.

    Raises:
        UsageError: onnx is wanted and cannot be.
        inference.export.ExportError: onnx is wanted, and the model cannot be exported.
    """
    from sbirctl.inference.export import ExportError

    if wanted == "torch" or (wanted == AUTO and _rows(sides) < ROWS):
        return None
    reason = _against(model)
    if reason or export is None:
        if wanted == AUTO:
            return None
        raise UsageError(
            f"ONNX Runtime does not embed this: {reason or 'the settings are others here'}.",
            "Leave out --runtime.",
        )
    import torch

    try:
        encoder = OnnxEncoder(export(), threads=torch.get_num_threads())
    except ExportError as error:
        if wanted != AUTO:
            raise
        report.warn(f"{error} Its vectors are made by torch.")
        return None
    if all(encoder.sizes[side.modality] == side.store.size for side in sides):
        return encoder
    if wanted == AUTO:
        return None
    raise UsageError(
        f"ONNX Runtime does not embed this: the export takes {encoder.sizes['photo']} pixels, and "
        f"the data set has {sides[0].store.size}.",
        "Leave out --runtime.",
    )


def use_export(model: Model, encoder: OnnxEncoder) -> None:
    """Let an export make what the model's `embed` gives, in place."""
    import torch

    def embed(images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        assert edges is None
        pixels = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
        return torch.from_numpy(encoder.embed(pixels, modality))

    model.embed = embed  # type: ignore[method-assign]


def _rows(sides: list[ImageSubset]) -> int:
    return sum(len(np.unique(side.row)) for side in sides)


def _against(model: Model) -> str:
    """Why ONNX Runtime cannot make a model's vectors, in words; "" where it can."""
    from sbirctl.core.distributed import world
    from sbirctl.training.embedding import device_of

    if device_of(model).type != "cpu":
        return "it computes on the processor alone"
    if world() > 1:
        return "several processes share the work"
    if str(model.compute_dtype) != "torch.float32":
        return "it computes in fp32"
    return "the model reads edge maps" if model.needs_edges else ""
