"""Which run is meant, those of the hub among them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sbirctl.core import home
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
        CorruptError: a file of the run is not the one that came.
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
        return hub.pull(address, report)
    refuse_changed(folder)
    report.note(f"{read_origin(folder)}, as {folder.name}")
    return folder


@cache  # once a process
def refuse_changed(folder: Path) -> None:
    """Nothing, where a run was trained here, or its files are those that came.

    Raises:
        CorruptError: one is not.
    """
    if (folder / home.ORIGIN).is_file():
        check_files(folder)
