"""`attention`: where a trained model looks in some pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sbirctl.core.errors import MissingError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter

if TYPE_CHECKING:
    import numpy as np

    from sbirctl.models import Model
    from sbirctl.report.attention import AttentionRow
    from sbirctl.store.manifest import Modality

PAPER = 230  # grey value from which a pixel is paper
COLOURLESS = 16  # largest difference between a pixel's channels, of 255


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
    from sbirctl.training.checkpoint import read_checkpoint
    from sbirctl.training.find import find_checkpoint
    from sbirctl.training.restore import restore

    check_suffix(output)
    checkpoint = read_checkpoint(find_checkpoint(source))
    size = checkpoint.data.size if checkpoint.data else 0
    model = restore(checkpoint, device=device, weights=weights)
    rows: list[AttentionRow] = []
    levels: list[str] = []
    with report.bar("looking", len(images)) as advance:
        for path in images:
            found = _load(path, modality, size or model.settings.size, report)
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


def guess_modality(pixels: np.ndarray) -> Modality:
    """ "sketch" where nearly nothing is coloured and most is white paper, else "photo".

    Args:
        pixels: (size, size, 3) uint8.
    """
    import numpy as np

    spread = pixels.max(2).astype(int) - pixels.min(2)
    colourless = np.mean(spread <= COLOURLESS) > 0.99
    return "sketch" if colourless and np.median(pixels) >= PAPER else "photo"


def _load(
    path: Path, modality: Literal["auto", "photo", "sketch"], size: int, report: Reporter
) -> tuple[np.ndarray, Modality] | None:
    from sbirctl.store.images import ImageError, load_image

    try:
        data = path.read_bytes()
        known = guess_modality(load_image(data, "photo", size)) if modality == "auto" else modality
        return load_image(data, known, size), known
    except FileNotFoundError as error:
        raise MissingError(
            f"There is no file {display_path(path)}.", "Give paths of pictures."
        ) from error
    except (ImageError, OSError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        report.warn(f"{display_path(path)} is left out: {why}.")
        return None


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
