"""What a person means by a run, a checkpoint or a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sbirctl.core.errors import MissingError, UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.core.home import CHECKPOINT
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import MODELS
from sbirctl.training.find_run import find_run, refuse_changed


def is_model(text: str) -> bool:
    """Whether `text` names a model rather than a run or a file."""
    return text in MODELS.names() and not Path(text).exists()


def find_checkpoint(text: str, report: Reporter = SILENT) -> Path:
    """The checkpoint of a run's folder, a run as `find_run` reads it, or a file.

    Raises:
        UsageError: the beginning of a name that several runs have.
        MissingError: the run is not finished, or there is no such thing.
        CorruptError: a run that came from elsewhere is not what came.
    """
    path = Path(text).expanduser()
    if not path.exists() and text not in MODELS.names() and (run := find_run(text, report)):
        path = run
    if path.is_dir():
        if not (path / CHECKPOINT).is_file():
            if not (path / "config.toml").is_file():
                raise MissingError(
                    f"The folder {display_path(path)} is no run.",
                    "Name a run (see `sbirctl runs`), a checkpoint or an embeddings file.",
                )
            raise MissingError(
                f"The run {display_path(path)} has no checkpoint yet.",
                "Type the same `sbirctl train …` again; it continues.",
            )
        refuse_changed(path)
        return path / CHECKPOINT
    if not path.is_file():
        if text in MODELS.names():
            raise MissingError(
                f"{text!r} is a model; a run of it is needed.",
                f"Name one (see `sbirctl runs`), or type `sbirctl train {text}` first.",
            )
        hint = nearest(text, MODELS.names())
        raise MissingError(f"There is no run, checkpoint or model {text!r}.", hint)
    refuse_changed(path.resolve().parent)
    return path


def refuse_settings(assignments: Sequence[str]) -> None:
    """Raise UsageError where settings are given for a model that has its own."""
    if assignments:
        raise UsageError(
            f"A checkpoint has its own settings; {assignments[0]!r} cannot change them.",
            "Leave out --set and --config.",
        )
