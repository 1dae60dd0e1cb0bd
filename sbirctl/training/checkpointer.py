"""What a phase of a run keeps on the disk: its state, its best epoch, its log, its result."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import torch

from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.core.files import display_path, read_json, write_json
from sbirctl.models import Model
from sbirctl.retrieval.provenance import Provenance
from sbirctl.training.checkpoint import read_checkpoint, save_checkpoint
from sbirctl.training.inputs import DataRecord
from sbirctl.training.loss_meter import NotFiniteError
from sbirctl.training.metrics_log import MetricsLog
from sbirctl.training.state import Progress, load_state, save_state


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
