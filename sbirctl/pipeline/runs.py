"""The runs in the home folder: which there are, which is the newest, removing one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sbirctl.core.errors import MissingError, SbirctlError, UsageError, nearest
from sbirctl.core.files import display_path, lock, read_json
from sbirctl.core.home import runs_dir
from sbirctl.core.runs import find_run, run_folders

# What reading values of another kind raises: `result.json` may come from anywhere.
_DAMAGE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError)


def newest_run() -> Path:
    """The folder of the run that finished last.

    Raises:
        MissingError: no run is finished.
    """
    finished = [row for row in rows() if row["state"] == "finished"]
    if not finished:
        raise MissingError(
            f"There is no finished run in {display_path(runs_dir())}.",
            "Type `sbirctl train baseline`, or name a file.",
        )
    return Path(max(finished, key=lambda row: (row["finished"], row["run"]))["path"])


def rows() -> list[dict[str, Any]]:
    """One entry a run, the latest first: its state and what it cost.

    `run`, `state`, chosen `epochs`, best `validation`, `minutes` of training, `parameters`, the
    `images/s` its test side was embedded with, `finished`, `path`; None for what is not known.
    """
    found = [_row(folder) for folder in run_folders()]
    return sorted(found, key=lambda row: (row["finished"], row["run"]), reverse=True)


def remove(names: list[str]) -> list[Path]:
    """Remove runs with everything in them; gives their folders.

    Args:
        names: as `core.runs.find_run` reads them.

    Raises:
        MissingError: `@N` counts further than there are finished runs.
        UsageError: there is no run of that name (nothing is removed then).
        SbirctlError: it is being trained.
    """
    folders = []
    for name in names:
        folder = find_run(name)
        if folder is None:
            known = [folder.name for folder in run_folders()]
            raise UsageError(f"There is no run {name!r}.", nearest(name, known))
        if folder.is_symlink():
            raise UsageError(
                f"{display_path(folder)} is a link; what it leads to is not removed.",
                "Remove the link by hand.",
            )
        folders.append(folder)
    folders = list(dict.fromkeys(folders))
    for folder in folders:
        with lock(folder / ".lock", busy=f"{folder.name} is being trained"):
            # the result first: a run that is half removed is no finished one
            (folder / "result.json").unlink(missing_ok=True)
            (folder / "config.toml").unlink(missing_ok=True)
        shutil.rmtree(folder)
    return folders


def _row(folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run": folder.name,
        "state": "begun",
        "epochs": None,
        "validation": None,
        "minutes": None,
        "parameters": None,
        "images/s": None,
        "finished": "",
        "path": str(folder),
    }
    try:
        row |= _figures(read_json(folder / "result.json"))
        row["images/s"] = _embedding_speed(folder)
    except MissingError:
        pass
    except (SbirctlError, *_DAMAGE):
        row["state"] = "damaged"
    return row


def _figures(result: Any) -> dict[str, Any]:
    """What a result says; its values are checked, since the rows are sorted and compared.

    Raises:
        Exception: one of `_DAMAGE`.
    """
    history = [entry.get("val_map@all") for entry in result["phases"]["train"]["history"]]
    best = max((float(value) for value in history if value is not None), default=None)
    return {
        "state": "finished",
        "validation": best,
        "finished": str(result["finished"]),
        "epochs": int(sum(result["chosen_epochs"].values())),
        "minutes": float(result["minutes"]),
        "parameters": int(result["parameters"]["all"]),
    }


def _embedding_speed(folder: Path) -> float | None:
    try:
        return float(read_json(folder / "embeddings.json")["images_per_second"])
    except (SbirctlError, *_DAMAGE):  # a side matter: the run is none the worse for it
        return None
