"""What a phase of a run keeps on the disk: its state, its best epoch, its log, its result."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch

from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.core.files import atomic_open, display_path, read_json, refuse_shortage, write_json
from sbirctl.core.forms import NATURAL, Each, Maybe, check_form
from sbirctl.models import Model
from sbirctl.retrieval.provenance import Provenance
from sbirctl.training.checkpoint import read_checkpoint, save_checkpoint
from sbirctl.training.inputs import DataRecord
from sbirctl.training.metrics_log import MetricsLog, NotFiniteError

SCHEMA = 1
_FORM = {
    "progress": {
        **dict.fromkeys(("stage", "epoch", "step", "steps", "images"), NATURAL),
        **dict.fromkeys(("log", "best_epoch", "stale"), NATURAL),
        "seconds": float,
        "best": Maybe(float),
        "chosen": Each(NATURAL),
        "history": [dict],
        "losses": Each(Each(float)),
    },
    "model": dict,
    "optimizer": Maybe(dict),
}


@dataclass
class Progress:
    """Where a phase of a run stands. Random numbers need no place: they come from seeds.

    Attributes:
        stage: index of the recipe's stage.
        epoch: epochs of the stage that are complete.
        step: optimiser steps made in the epoch after those.
        steps: optimiser steps of the phase.
        images: images trained on.
        seconds: time spent, over all calls.
        log: bytes of log.jsonl that belong to all this.
        best: best validation of the stage so far, None before the first.
        best_epoch: the (1-based) epoch it belongs to.
        stale: epochs since then.
        chosen: stage name to number of epochs its result was trained for.
        history: one entry per validated epoch.
        losses: loss terms of the first and of the latest log line.
        scaler: state of what scales the loss with precision=fp16.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    steps: int = 0
    images: int = 0
    seconds: float = 0.0
    log: int = 0
    best: float | None = None
    best_epoch: int = 0
    stale: int = 0
    chosen: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    losses: dict[str, dict[str, float]] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)


def save_state(
    path: Path, model: Model, optimizer: torch.optim.Optimizer | None, progress: Progress
) -> None:
    """Write everything atomically; an earlier state stays until the new one is whole."""
    state = {
        "schema": SCHEMA,
        "progress": asdict(progress),
        "model": dict(model.checkpoint_state()),
        "optimizer": None if optimizer is None else optimizer.state_dict(),
    }
    with atomic_open(path) as stream:  # of a path torch does not tell why it cannot be written
        torch.save(state, stream)


def load_state(
    path: Path, model: Model, group: ProcessGroup = SINGLE
) -> tuple[Progress, dict[str, Any] | None] | None:
    """Put the saved weights into `model`; the progress and the optimiser's state.

    Args:
        group: of its processes only the first reads the file.

    Returns:
        None where nothing was saved.

    Raises:
        CorruptError: the file is damaged or was written by another version.
    """
    again = "Type the same command with --fresh to train from the start."

    def read() -> dict[str, Any] | None:
        return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None

    try:
        state = group.broadcast_from_first(read)
        if state is None:
            return None
        check_form(state, {"schema": int}, path, again)
        if state["schema"] != SCHEMA:
            raise CorruptError(f"{display_path(path)} is of another version.", again)
        check_form(state, _FORM, path, again)
        model.load_checkpoint_state(state["model"])
        return Progress(**state["progress"]), state["optimizer"]
    except SbirctlError:
        raise
    except Exception as error:  # torch raises anything for a damaged file
        refuse_shortage(error)
        raise CorruptError(f"{display_path(path)} is damaged: {error}.", again) from error


class Checkpointer:
    """Files of one phase in the run's folder, and the progress they belong to.

    `state/<phase>.pt` is the state to go on from, `state/<phase>-<stage>-<epoch>.safetensors` the
    stage's best epoch, `state/<phase>.safetensors` and `.json` the result of a complete phase.

    Args:
        folder: the run's folder.
        phase: name of the phase.
        model: whose weights are kept.
        provenance, data: recorded in checkpoints.
        log_start: bytes of log.jsonl that belong to earlier phases.
        tensorboard: also write TensorBoard's event files.
        group: the processes that train; the first one reads and writes, the others follow.
    """

    def __init__(
        self,
        folder: Path,
        phase: str,
        model: Model,
        provenance: Provenance = Provenance(),
        data: DataRecord | None = None,
        *,
        log_start: int = 0,
        tensorboard: bool = False,
        group: ProcessGroup = SINGLE,
    ) -> None:
        self.group = group
        self.folder, self.phase, self.model = folder, phase, model
        self.provenance, self.data = provenance, data
        self.progress = Progress(log=log_start)
        self.checkpoint = folder / "state" / f"{phase}.safetensors"
        self._done = folder / "state" / f"{phase}.json"
        self._state = folder / "state" / f"{phase}.pt"
        self._board = folder / "tensorboard" if tensorboard else None

    def finished(self) -> bool:
        """Whether the phase is complete; if so its weights and progress are taken over."""

        def read() -> tuple[dict[str, Any], dict[str, Any]] | None:
            if not self._done.exists():
                return None
            return read_checkpoint(self.checkpoint).state, read_json(self._done)

        done = self.group.broadcast_from_first(read)
        if done is None:
            return False
        self.model.load_checkpoint_state(done[0])
        self.progress = Progress(**done[1])
        return True

    def resume(self) -> dict[str, Any] | None:
        """Take over the saved state, if any, and open the log; gives the optimiser's state."""
        kept = None
        saved = load_state(self._state, self.model, self.group)
        if saved is not None:
            self.progress, kept = saved
        log = self.folder / "log.jsonl" if self.group.first else None
        self.log = MetricsLog(log, self.progress.log, self._board)
        self._since = self._saved = time.monotonic()
        return kept

    def save(self, optimizer: torch.optim.Optimizer | None) -> None:
        """Write the state to go on from; nothing is written once a weight is not finite."""
        self.check_weights()
        now = time.monotonic()
        self.progress.seconds += now - self._since
        self._since = self._saved = now
        self.progress.log = self.log.position()
        if self.group.first:
            save_state(self._state, self.model, optimizer, self.progress)
            self._drop_old_bests()

    def since_saved(self) -> float:
        """Seconds since the last saved state."""
        return time.monotonic() - self._saved

    def save_best(self, stage: str) -> None:
        """Make the current weights those of the stage's best epoch."""
        self.progress.best_epoch = self.progress.epoch
        if self.group.first:
            save_checkpoint(self._best(stage), self.model, self.provenance, self.data)

    def load_best(self, stage: str) -> None:
        """Put the weights of the stage's best epoch into the model."""
        if self.progress.best_epoch:
            state = self.group.broadcast_from_first(
                lambda: read_checkpoint(self._best(stage)).state
            )
            self.model.load_checkpoint_state(state)

    def finish(self) -> None:
        """Write the phase's result."""
        if self.group.first:
            save_checkpoint(self.checkpoint, self.model, self.provenance, self.data)
            write_json(self._done, asdict(self.progress))

    def check_weights(self) -> None:
        """Stop if any weight is NaN or infinite.

        Raises:
            NotFiniteError: one is.
        """
        for name, tensor in self.model.checkpoint_state().items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                at = (self.progress.epoch + 1, self.progress.step)
                self.stop(NotFiniteError(f"The weights {name} became NaN or infinite", *at, ()))

    def stop(self, error: NotFiniteError) -> NoReturn:
        """Log why the run stops and raise it; what was saved before stays."""
        kept = sorted(self.folder.glob("state/*.safetensors"))
        if kept:
            error.hint += f" The last good checkpoint is {display_path(kept[-1])}."
        about = {"epoch": error.epoch, "step_of_epoch": error.step, "message": error.message}
        about |= {"phase": self.phase, "ids": list(error.ids)}
        self.log.write("stopped", self.progress.steps, about)
        raise error

    def _best(self, stage: str) -> Path:
        name = f"{self.phase}-{stage}-{self.progress.best_epoch:04d}.safetensors"
        return self.folder / "state" / name

    def _drop_old_bests(self) -> None:
        """Older best epochs go only when the state that names the newer one is on the disk."""
        keep = f"-{self.progress.best_epoch:04d}" if self.progress.best_epoch else "-"
        for path in self.folder.glob(f"state/{self.phase}-*.safetensors"):
            if not path.stem.endswith(keep):
                path.unlink(missing_ok=True)
