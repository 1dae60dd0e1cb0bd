"""`attention`: where a trained model looks in some pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sbirctl.core.errors import MissingError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.pictures import read_picture

if TYPE_CHECKING:
    import numpy as np

    from sbirctl.models import Model
    from sbirctl.report.attention import AttentionRow
    from sbirctl.store.manifest import Modality


def attention(
    source: str,
    images: Sequence[Path],
    output: Path,
    *,
    modality: Literal["auto", "photo", "sketch"] = "auto",
    weights: str = "",
    device: str = "auto",
    report: Reporter = SILENT,
) -> Path:
    """Draw per level the activation energy and what the class token attends to.

    The pictures pass through both halves of preprocessing, as in training.

    Args:
        source: a run's folder or name, or a checkpoint file.
        images: files; unreadable ones are left out with a warning.
        output: the picture to write, .png, .svg or .pdf.
        modality: what the files are; "auto" takes colourless ones on white paper for sketches.
        weights: where the starting weights are, for checkpoints that hold the trained part only.
        device: auto, cpu, cuda, …
        report: for notes and progress.

    Returns:
        `output`.

    Raises:
        MissingError: no such run, or no readable image.
        UsageError: the model has nothing to show, or a wrong ending.
    """
    from sbirctl.report.attention import attention_sheet
    from sbirctl.report.style import check_suffix, save
    from sbirctl.training.checkpoint import read_checkpoint, restore
    from sbirctl.training.find import find_checkpoint

    check_suffix(output)
    checkpoint = read_checkpoint(find_checkpoint(source, report))
    size = checkpoint.data.size if checkpoint.data else 0
    model = restore(checkpoint, device=device, weights=weights, report=report)
    known = None if modality == "auto" else modality
    rows: list[AttentionRow] = []
    levels: list[str] = []
    with report.bar("looking", len(images)) as advance:
        for path in images:
            found = read_picture(path, size or model.settings.size, known, report)
            if found is not None:
                row, levels = _row(model, path, *found)
                rows.append(row)
            advance()
    if not rows:
        raise MissingError("No image could be read.", "Give paths of photos or sketches.")
    if any(cls is not None and cls.size == 1 for cls in rows[0].cls):
        report.note("a level of one token has the same attention everywhere")
    save(attention_sheet(rows, levels), output, report)
    return output


def _row(
    model: Model, path: Path, pixels: np.ndarray, modality: Modality
) -> tuple[AttentionRow, list[str]]:
    import numpy as np
    import torch

    from sbirctl.models.layers.attention import attention_maps
    from sbirctl.report.attention import AttentionRow

    device = next(model.buffers()).device
    given = torch.tensor(pixels, device=device).permute(2, 0, 1)[None]
    found = attention_maps(model, given, modality)
    row = AttentionRow(
        f"{display_path(path.name)} ({modality})",
        np.broadcast_to(pixels, (*pixels.shape[:2], 3)),
        [level.energy[0].float().cpu().numpy() for level in found],
        [None if level.cls is None else level.cls[0].float().cpu().numpy() for level in found],
    )
    return row, [level.name for level in found]
