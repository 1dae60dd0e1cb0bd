"""The runs in the home folder: which there are, and removing one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypedDict

from sbirctl.core.errors import MissingError, SbirctlError, nearest
from sbirctl.core.files import lock, read_json
from sbirctl.core.home import (
    RESULT,
    find_run,
    label_of,
    read_result,
    remove_folders,
    run_folders,
    set_label,
)
from sbirctl.sharing.hub import parse
from sbirctl.sharing.received import latest_from, read_origin

RunRow = TypedDict(
    "RunRow",
    {
        "run": str,
        "label": str,
        "state": str,
        "epochs": int | None,
        "validation": float | None,
        "minutes": float | None,
        "parameters": int | None,
        "images/s": float | None,
        "finished": str,
        "origin": str,
        "path": str,
    },
)


def rows() -> list[RunRow]:
    """One entry a run, the latest first: its state and what it cost.

    `run`, `label`, `state`, chosen `epochs`, best `validation`, `minutes` of training,
    `parameters`, the `images/s` its test side was embedded with, `finished`, `origin` (where it
    came from, "" for trained here), `path`; None for what is not known.
    """
    found = [_row(folder) for folder in run_folders()]
    return sorted(found, key=lambda row: (row["finished"], row["run"]), reverse=True)


def remove(names: list[str]) -> list[Path]:
    """Remove runs with everything in them; gives their folders.

    Args:
        names: as `core.home.find_run` reads them, or addresses that were pulled from.

    Raises:
        MissingError: `@N` counts further than there are finished runs.
        UsageError: there is no run of that name (nothing is removed then).
        SbirctlError: it is being trained.
    """

    def held(folder: Path) -> AbstractContextManager[None]:
        return lock(folder / ".lock", busy=f"{folder.name} is being trained")

    return remove_folders([_known(name) for name in names], held, RESULT, "config.toml")


def label(name: str, text: str) -> Path:
    """Keep a label with a run, for tables and pictures; gives the run's folder.

    Args:
        name: as `core.home.find_run` reads it, or an address that was pulled from.
        text: "" removes the label.

    Raises:
        UsageError: there is no such run, or it is no label.
    """
    folder = _known(name)
    set_label(folder, text)
    return folder


def _known(name: str) -> Path:
    address = parse(name)
    # What is damaged can be removed, too: nothing is compared here, and nothing pulled.
    folder = find_run(name) if address is None else latest_from(str(address))
    if folder is None:
        known = [folder.name for folder in run_folders()]
        raise MissingError(f"There is no run {name!r}.", nearest(name, known))
    return folder


def _row(folder: Path) -> RunRow:
    row: RunRow = {
        "run": folder.name,
        "label": label_of(folder),
        "state": "begun",
        "epochs": None,
        "validation": None,
        "minutes": None,
        "parameters": None,
        "images/s": None,
        "finished": "",
        "origin": _origin(folder),
        "path": str(folder),
    }
    try:
        result = read_result(folder)
    except MissingError:
        return row
    except SbirctlError:
        return {**row, "state": "damaged"}
    history = [entry.get("val_map@all") for entry in result["phases"]["train"]["history"]]
    return {
        **row,
        "state": "finished",
        "validation": max((float(value) for value in history if value is not None), default=None),
        "finished": result["finished"],
        "epochs": sum(result["chosen_epochs"].values()),
        "minutes": float(result["minutes"]),
        "parameters": result["parameters"]["all"],
        "images/s": _embedding_speed(folder),
    }


def _origin(folder: Path) -> str:
    try:
        return str(read_origin(folder) or "")
    except SbirctlError:
        return "damaged record"


def _embedding_speed(folder: Path) -> float | None:
    try:
        return float(read_json(folder / "embeddings.json")["images_per_second"])
    except (SbirctlError, LookupError, TypeError, ValueError):  # the run is none the worse for it
        return None
