"""Which run is meant, those of the hub among them, and taking in what comes from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from sbirctl.core import home
from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.sharing import hub
from sbirctl.sharing.received import check_files, read_origin


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
        read_checkpoint(folder / home.CHECKPOINT, tensors=False)
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
