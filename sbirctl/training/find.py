"""What a person means by a run, a checkpoint or a model, runs that come from the hub among them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from sbirctl.core import home
from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.core.home import CHECKPOINT
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import MODELS
from sbirctl.sharing import hub
from sbirctl.sharing.received import check_files, read_origin


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


def find_run(text: str, report: Reporter = SILENT) -> Path | None:
    """The folder of the run that is meant, None where the text means none.

    A run that came from elsewhere is compared with the digests it came with.

    Args:
        text: as `core.home.find_run` reads it, or an address `hf://OWNER/NAME[@REVISION]`, which is
            pulled where it was not before.
        report: is told where it came from, and whether the hub has another by now.

    Raises:
        MissingError: an address that was never pulled and cannot be now; `@N` of too few runs.
        UsageError: several runs are meant, or the address is none.
        CorruptError: a file of the run is not the one that came, or what came is no run.
    """
    address = hub.parse(text)
    if address is None:
        folder = home.find_run(text)
        if folder is not None:
            refuse_changed(folder)
        return folder
    folder = hub.pulled(address, report)
    if folder is None:
        report.note(f"pulling {address}")
        return receive(lambda: hub.pull(address, report), str(address))
    refuse_changed(folder)
    report.note(f"{read_origin(folder)}, as {folder.name}")
    return folder


def receive(take: Callable[[], Path], source: str) -> Path:
    """The folder of a run that `take` brings here; one that is no run of this program goes again.

    Args:
        source: where it comes from, for what is said.

    Raises:
        CorruptError: its checkpoint, or what it says came of the training, cannot be used.
        As `take`.
    """
    from sbirctl.training.checkpoint import read_checkpoint

    before = home.run_folders()
    folder = take()
    try:
        read_checkpoint(folder / CHECKPOINT, tensors=False)
        home.read_result(folder)
    except SbirctlError as error:
        if folder in before:
            raise
        shutil.rmtree(folder)
        raise CorruptError(
            f"{source} is refused: {error.message}", "Nothing of it was kept. Ask who made it."
        ) from error
    return folder


@cache  # once a process
def refuse_changed(folder: Path) -> None:
    """Nothing, where a run was trained here, or its files are those that came.

    Raises:
        CorruptError: one is not.
    """
    if (folder / home.ORIGIN).is_file():
        check_files(folder)
