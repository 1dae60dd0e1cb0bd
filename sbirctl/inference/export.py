"""A model as ONNX files with a card, for machines without torch.

The folder holds `photo.onnx`, `sketch.onnx` and, where the model reads texts, `text.onnx` with its
list of merges, their weights in `weights.bin`, and `card.toml`. A file takes pixels as the store
keeps them; resizing to the model's own side, mean and std, the network, mirroring and normalising
are inside it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tomli_w

from sbirctl import __version__
from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import digest_file, human_bytes
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.drawings.placement import Placement
from sbirctl.inference.eight_bit import loss, quantise
from sbirctl.inference.onnx import CARD, MERGES, SCHEMA, WEIGHTS, OnnxEncoder
from sbirctl.inference.shared_weights import share_weights
from sbirctl.store.manifest import MODALITIES, Modality

if TYPE_CHECKING:
    import torch
    from torch import nn

    from sbirctl.models import Model

LEAST_COSINE = 0.99999
"""A file whose vectors are further from torch's is not kept."""
_PICTURES = 64
_CHANNELS: dict[Modality, int] = {"photo": 3, "sketch": 1}


class ExportError(SbirctlError):
    """The model cannot be exported, or its vectors would differ.

    Attributes:
        remembered: it was found by an earlier call, and not tried again.
    """

    remembered = False


@dataclass(frozen=True)
class ExportOrigin:
    """Where an exported model comes from, for its card.

    Attributes:
        name: of the model in the registry.
        digest: of its weights.
        size: side of the pixels it is given, the store's.
        settings: that held.
        provenance: of its training, plain values; empty for a model as it comes.
        placement: where its training sketches lie, shares of the side.
    """

    name: str
    digest: str
    size: int
    settings: dict[str, Any]
    provenance: dict[str, Any]
    placement: Placement = field(default_factory=Placement)


def export(
    model: Model,
    origin: ExportOrigin,
    folder: Path,
    report: Reporter = SILENT,
    *,
    int8: bool = False,
) -> Path:
    """Write the files and compare their vectors with torch's on 64 pictures.

    Args:
        model: in evaluation mode on the processor.
        folder: is made; what it holds of an earlier export is replaced.
        int8: weights of eight bits. What that costs is written to the card and not bounded.

    Returns:
        The folder.

    Raises:
        ExportError: the model reads edge maps, torch cannot export it, or the vectors differ by
            more than `LEAST_COSINE` allows or are no numbers. The folder is then not left behind.
    """
    if model.needs_edges:
        raise ExportError(
            f"{origin.name} reads the photos' edge maps, which only torch makes here.",
            "Leave it on torch: --runtime torch.",
        )
    if not np.isfinite(_vectors(model, _pictures("photo", origin.size, 2), "photo")).all():
        raise ExportError(
            f"{origin.name} gives vectors that are no numbers.",
            "See how its training went: `sbirctl curves --training`.",
        )
    building = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        files: dict[str, Any] = {}
        for modality in MODALITIES:
            report.note(f"exporting the {modality} side of {origin.name}")
            fixed = write_side(_image_side(model, modality, origin.size),
                               building / f"{modality}.onnx",
                               _pictures(modality, origin.size, 2))  # fmt: skip
            files[modality] = {"size": origin.size, **_batch(modality, fixed, report)}
        text = _text_side(model, building, report)
        if text is not None:
            files["text"] = text
        sides = [building / f"{name}.onnx" for name in files]
        whole = 0
        if int8:
            whole = _bytes_of_fp32(sides)
            quantise(sides)
        share_weights(sides, building / WEIGHTS)
        for name, facts in files.items():
            facts["sha256"] = digest_file(building / f"{name}.onnx")
        files["weights"] = {"sha256": digest_file(building / WEIGHTS)}
        card = {
            "schema": SCHEMA,
            "model": origin.name,
            "weights_digest": origin.digest,
            "dim": int(model.dim),
            "sbirctl": __version__,
            "settings": _plain(origin.settings),
            "provenance": _plain(origin.provenance),
            "placement": asdict(origin.placement),
            "files": files,
        }
        (building / CARD).write_bytes(tomli_w.dumps(card).encode())
        lost = _parity(model, OnnxEncoder(building), origin.size)
        parity = lost["worst_cosine"]
        card["parity"] = {"pictures": _PICTURES, "worst_cosine": parity}
        if int8:
            after = sum(path.stat().st_size for path in (*sides, building / WEIGHTS))
            card["int8"] = {**lost, "bytes": after, "bytes_of_fp32": whole}
            report.note(
                f"weights of eight bits: {human_bytes(whole)} become {human_bytes(after)}; cosine "
                f"to torch's vectors {parity:.4f} at worst, {lost['mean_cosine']:.4f} in the mean; "
                f"{lost['same_nearest']:.0%} of the test pictures keep their nearest one"
            )
        elif parity < LEAST_COSINE:
            raise ExportError(
                f"The exported {origin.name} gives other vectors than torch: worst cosine "
                f"{parity:.6f} over {_PICTURES} pictures, at least {LEAST_COSINE} is asked.",
                "Leave it on torch: --runtime torch.",
            )
        (building / CARD).write_bytes(tomli_w.dumps(card).encode())
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _batch(name: str, fixed: int, report: Reporter) -> dict[str, int]:
    """The card's entry of a file that takes one number of pictures alone, which is said, too."""
    if not fixed:
        return {}
    report.warn(
        f"{name}.onnx takes {fixed} at a time, for torch could not export it for any number; fewer"
        " are filled up, which costs time."
    )
    return {"batch": fixed}


def _bytes_of_fp32(sides: Sequence[Path]) -> int:
    """What the files would take without quantising, what they share counted once."""
    folder = sides[0].parent / "fp32"
    folder.mkdir()
    copies = [Path(shutil.copy(path, folder)) for path in sides]
    share_weights(copies, folder / WEIGHTS)
    found = sum(path.stat().st_size for path in folder.iterdir())
    shutil.rmtree(folder)
    return found


def _image_side(model: Model, modality: Modality, size: int) -> torch.nn.Module:
    """Pixels (n, size, size, C) uint8 to (n, dim) float32, L2-normalised."""
    from torch import nn

    own, mode = model.side, model.settings.resize

    class Side(nn.Module):
        rows: torch.Tensor | None

        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.register_buffer("rows", None if own == size else _resizing(size, own, mode))

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            values = pixels.permute(0, 3, 1, 2).float()
            if self.rows is not None:
                values = (self.rows @ values @ self.rows.T).round().clamp(0, 255)
            values = (values.expand(-1, 3, -1, -1) / 255 - model._mean) / model._std
            found = self._vectors(values)
            if model.settings.mirror:
                found = nn.functional.normalize(found + self._vectors(values.flip(-1)), dim=-1)
            return found

        def _vectors(self, values: torch.Tensor) -> torch.Tensor:
            return nn.functional.normalize(model.features(values, modality).float(), dim=-1)

    return Side().eval()


def _resizing(before: int, after: int, mode: str) -> torch.Tensor:
    """(after, before): the weights of the model's antialiased resizing along one side."""
    import torch
    from torch.nn import functional

    eye = torch.eye(before)[None, None]
    return functional.interpolate(
        eye, (after, before), mode=mode, antialias=True, align_corners=False
    )[0, 0]


def _text_side(model: Model, folder: Path, report: Reporter) -> dict[str, Any] | None:
    """`text.onnx` and the merges, where the model reads texts by CLIP's own tokenizer."""
    clip: Any = getattr(model, "text_tower", None)
    if clip is None:
        return None
    import open_clip
    import torch
    from open_clip.tokenizer import SimpleTokenizer
    from torch import nn

    if not isinstance(open_clip.get_tokenizer(model.settings.backbone.name), SimpleTokenizer):
        return None

    class Side(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.clip = clip

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return nn.functional.normalize(self.clip.encode_text(tokens).float(), dim=-1)

    context = int(clip.context_length)
    example = torch.zeros(2, context, dtype=torch.int64)
    example[:, 0], example[:, 1] = 49406, 49407
    fixed = write_side(Side().eval(), folder / "text.onnx", example, name="tokens")
    published = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    shutil.copyfile(published, folder / MERGES)
    facts = {"merges": digest_file(folder / MERGES), "context": context}
    return {**facts, **_batch("text", fixed, report)}


def write_side(side: nn.Module, path: Path, example: torch.Tensor, name: str = "pixels") -> int:
    """Write a network of one input as ONNX, for any number of pictures or texts where torch can.

    A network whose Python code fixes the number of rows is written for the example's alone.

    Args:
        side: a module in evaluation mode; what it gives is called "vectors".
        path: the file.
        example: of its input, with two rows.
        name: of its input.

    Returns:
        0 for any number, else the only one that the file takes.

    Raises:
        ExportError: torch cannot export it.
    """
    import torch

    free = torch.export.Dim("n", min=1, max=1 << 20)
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                side,
                (example,),
                str(path),
                dynamo=True,
                external_data=False,
                input_names=[name],
                output_names=["vectors"],
                dynamic_shapes=({0: free},),
                verbose=False,
            )
        except (OSError, MemoryError):
            raise
        except Exception as error:  # the exporter's own errors are of many kinds
            said = " ".join(str(error).split())[:200]
            raise ExportError(
                f"torch cannot export this model: {said}", "Leave it on torch: --runtime torch."
            ) from error
    assert program is not None
    shape = program.model.graph.inputs[0].shape
    return shape[0] if shape is not None and isinstance(shape[0], int) else 0


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its progress and warns of its own future."""
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere:
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(nowhere):
                yield
    finally:
        logging.disable(logging.NOTSET)


def _pictures(modality: Modality, size: int, count: int) -> torch.Tensor:
    """(count, size, size, C) uint8: soft blots for photos, dark strokes on white for sketches."""
    import torch
    from torch.nn import functional

    draws = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, _CHANNELS[modality], 9, 9, generator=draws)
    values = functional.interpolate(coarse, (size, size), mode="bicubic", align_corners=False)
    if modality == "sketch":
        values = (values - 0.5).abs().mul(12).clamp(0, 1)
    return (values * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _vectors(model: Model, pixels: torch.Tensor, modality: Modality) -> np.ndarray:
    """(n, dim): what torch makes of `_pictures`."""
    import torch

    with torch.inference_mode():
        vectors: np.ndarray = model.embed(pixels.permute(0, 3, 1, 2), modality).numpy()
    return vectors


def _parity(model: Any, exported: OnnxEncoder, size: int) -> dict[str, Any]:
    """How far the files' vectors are from torch's, see `eight_bit.loss`."""
    import torch

    own, found = [], []
    for modality in MODALITIES:
        pixels = _pictures(modality, size, _PICTURES)
        own.append(_vectors(model, pixels, modality))
        found.append(exported.embed(pixels.numpy(), modality))
    if exported.has_text:
        texts = ["a photo of a cat", "two dogs under a tree, drawn", "x"]
        with torch.inference_mode():
            own.append(model.embed_text(texts).numpy())
        found.append(exported.embed_text(texts))
    return loss(own, found)


def _plain(value: object) -> object:
    """The value as TOML can hold it: tuples as lists, nothing where there is None."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value if v is not None]
    return value.item() if isinstance(value, np.generic) else value
