"""The log of a run, loss terms until they are logged, and what a finished training says of itself.

One JSON object a line, cut back to the saved state when a run resumes.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor

from sbirctl.core.errors import MissingError, SbirctlError
from sbirctl.core.progress import human_time
from sbirctl.training.embedding import SELECTION_METRIC

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_SHOWN = 4


class MetricsLog:
    """Appends to `log.jsonl`, and to TensorBoard where that is wanted.

    Args:
        path: the file, or None to write nothing (of many processes one keeps the log).
        position: bytes of it that count; what a killed run wrote after its last saved state is
            cut off, since it will be written again.
        tensorboard: folder for event files, or None.

    Raises:
        MissingError: TensorBoard is wanted but not installed.
    """

    def __init__(
        self, path: Path | None, position: int = 0, tensorboard: Path | None = None
    ) -> None:
        self._stream: IO[bytes] | None = None
        self._board = None
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = open(path, "ab")  # noqa: SIM115 - held until `close`
        self._stream.truncate(min(position, self._stream.tell()))
        self._board = _board(tensorboard) if tensorboard else None

    def write(self, event: str, step: int, values: Mapping[str, object]) -> None:
        """One line: {"event": …, "step": …, …}; numbers that are not finite become null."""
        if self._stream is None:
            return
        line = {"event": event, "step": step, **{k: _plain(v) for k, v in values.items()}}
        text = json.dumps(line, ensure_ascii=False, allow_nan=False)
        self._stream.write(text.encode() + b"\n")
        self._stream.flush()
        if self._board is not None:
            for name, value in values.items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    self._board.add_scalar(f"{event}/{name}", value, step)

    def position(self) -> int:
        """Bytes written so far, safely on the disk."""
        if self._stream is None:
            return 0
        self._stream.flush()
        os.fsync(self._stream.fileno())
        return self._stream.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Close the files."""
        if self._stream is not None:
            self._stream.close()
        if self._board is not None:
            self._board.close()


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _board(folder: Path) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingError(
            "TensorBoard is not installed.", "pip install 'sbirctl[tensorboard]'"
        ) from error
    return SummaryWriter(str(folder))


class NotFiniteError(SbirctlError):
    """The loss, or a weight, is no number any more.

    Attributes:
        epoch, step: 1-based epoch of the stage and step of that epoch.
        ids: the images of the batch.
    """

    def __init__(self, what: str, epoch: int, step: int, ids: Sequence[str]) -> None:
        shown = ", ".join(ids[:_SHOWN])
        more = f" and {len(ids) - _SHOWN} more (all in log.jsonl)" if len(ids) > _SHOWN else ""
        batch = f"; its batch: {shown}{more}" if ids else ""
        super().__init__(
            f"{what} in epoch {epoch}, step {step}{batch}.",
            "Lower the learning rate (--set lr=…), or look at these images.",
        )
        self.epoch = epoch
        self.step = step
        self.ids = tuple(ids)


class LossMeter:
    """Collects the terms of some steps; `fetch` waits for the device once for all of them."""

    def __init__(self) -> None:
        self._terms: list[Tensor] = []
        self._names: tuple[str, ...] = ()
        self._about: list[tuple[int, int, tuple[str, ...]]] = []

    def __len__(self) -> int:
        return len(self._about)

    def add(self, terms: Mapping[str, Tensor], epoch: int, step: int, ids: Sequence[str]) -> None:
        """Keep one step's terms (scalars on the device) and what it was."""
        self._names = tuple(terms)
        self._terms.append(torch.stack([terms[name].float() for name in self._names]))
        self._about.append((epoch, step, tuple(ids)))

    def fetch(self) -> dict[str, float]:
        """Means of the terms since the last call.

        Raises:
            NotFiniteError: "total" was NaN or infinite in one of the steps; the first is named.
        """
        values = torch.stack(self._terms).cpu()
        about = self._about
        self._terms, self._about = [], []
        for row, (epoch, step, ids) in zip(values.tolist(), about, strict=True):
            total = row[self._names.index("total")]
            if not math.isfinite(total):
                raise NotFiniteError(f"The loss became {total}", epoch, step, ids)
        return dict(zip(self._names, values.double().mean(0).tolist(), strict=True))


def summary(result: Mapping[str, Any]) -> list[str]:
    """What a finished training says of itself: the epoch that was kept, its figures, its time.

    Args:
        result: what `core.home.read_result` gives.
    """
    phase = result["phases"]["train"]
    lines = []
    for stage, epoch in result["chosen_epochs"].items():
        history = [entry for entry in phase["history"] if entry.get("stage") == stage]
        kept = next((entry for entry in history if entry["epoch"] == epoch), None)
        if kept is not None:
            lines.append(f"{stage}: {_of_epoch(kept, len(history))}")
    terms = phase["losses"].get("last", {})
    if terms:
        lines.append("last losses: " + ", ".join(f"{k} {v:.4g}" for k, v in terms.items()))
    rate = result["images_per_second"]
    took = f"took {human_time(60 * result['minutes'])}"
    lines.append(took if rate is None else f"{took} at {rate:.0f} images/s")
    return lines


def _of_epoch(entry: Mapping[str, Any], epochs: int) -> str:
    name = SELECTION_METRIC
    value = entry.get(f"val_{name}")
    if value is None:
        return f"{epochs} epochs, the last one kept"
    chance = entry.get(f"chance_{name}")
    beside = "" if chance is None else f" (chance {chance:.4f})"
    return f"epoch {entry['epoch']} of {epochs} was best, validation {name} {value:.4f}{beside}"
