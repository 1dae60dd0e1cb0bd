"""Where things are kept (`$SBIRCTL_HOME`, else the user's data folder), and which run is meant."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypedDict

from sbirctl.core.errors import MissingError, SbirctlError, UsageError, few
from sbirctl.core.files import atomic_open, display_path, read_json
from sbirctl.core.forms import NATURAL, Each, Maybe, check_form

LABEL = "label.txt"
CHECKPOINT = "checkpoint.safetensors"
ORIGIN = "origin.json"  # of a run that came from elsewhere
_LONGEST = 80  # characters of a label
RESULT = "result.json"  # of a run that is finished
_REMOVED = ".removed"  # ends the name of a folder that is being removed
_LONGEST_NAME = 100  # bytes; a run's folder holds a data set's name and more, of 255 at most
_LAST = re.compile(r"@([1-9][0-9]*)")
_SHOWN = 5
_RESULT = {
    "finished": str,
    "phases": {"train": {"history": [{"val_map@all": Maybe(float)}]}},
    "chosen_epochs": Each(NATURAL),
    "minutes": float,
    "images_per_second": Maybe(float),
    "parameters": {"all": NATURAL},
}


class Phase(TypedDict):
    """A pass through the recipe; `history` has an entry a validated epoch."""

    history: list[dict[str, Any]]


class RunResult(TypedDict):
    """What `result.json` holds that others read; docs/formats.md lists the rest."""

    finished: str
    phases: dict[str, Phase]
    chosen_epochs: dict[str, int]
    minutes: float
    images_per_second: float | None
    parameters: dict[str, int]


def home() -> Path:
    """The folder that holds data sets, runs and galleries (not created here)."""
    chosen = os.environ.get("SBIRCTL_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("sbirctl", appauthor=False))


@contextmanager
def home_at(place: Path) -> Iterator[None]:
    """`place` as the home folder for a while."""
    before = os.environ.get("SBIRCTL_HOME")
    os.environ["SBIRCTL_HOME"] = str(place)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SBIRCTL_HOME"]
        else:
            os.environ["SBIRCTL_HOME"] = before


def is_short(name: str) -> bool:
    """Whether a name is short enough for a data set, gallery or what is called after them."""
    return len(os.fsencode(name)) <= _LONGEST_NAME


def remove_folders(
    folders: Sequence[Path],
    held: Callable[[Path], AbstractContextManager[object]],
    *first: str,
) -> list[Path]:
    """Remove folders of the home while nobody writes to them; gives each once.

    Args:
        folders: what to remove.
        held: keeps others from writing to one, or raises.
        first: files that make such a folder whole: without them half of one is none.

    Raises:
        UsageError: one is a link (nothing is removed then).
    """
    folders = list(dict.fromkeys(folders))
    for folder in folders:
        if folder.is_symlink():
            raise UsageError(
                f"{display_path(folder)} is a link; what it leads to is not removed.",
                "Remove the link by hand.",
            )
    for folder in folders:
        for forgotten in folder.parent.glob(f".*{_REMOVED}"):  # a call was killed meanwhile
            shutil.rmtree(forgotten, ignore_errors=True)
        aside = folder.with_name(f".{folder.name[:40]}.{os.urandom(8).hex()}{_REMOVED}")
        with held(folder):
            for name in first:
                (folder / name).unlink(missing_ok=True)
            try:
                folder.rename(aside)
            except OSError:  # Windows, where the lock is a file that is open
                aside = folder
        shutil.rmtree(aside)  # which takes long on network disks
    return folders


def galleries_dir() -> Path:
    """`<home>/galleries`: one folder a gallery of one's own photos."""
    return home() / "galleries"


def datasets_dir() -> Path:
    """`<home>/datasets`: one folder a prepared data set."""
    return home() / "datasets"


def receiving_dir() -> Path:
    """`<home>/receiving`: runs that are on their way here, and locks beside them."""
    return home() / "receiving"


def runs_dir() -> Path:
    """`<home>/runs`: one folder a training run."""
    return home() / "runs"


def run_folders() -> list[Path]:
    """The folders of all runs, begun or finished, by name."""
    return sorted(path.parent for path in runs_dir().glob("*/config.toml"))


def read_result(folder: Path) -> RunResult:
    """What came of a run, `result.json`; its values may be compared with those of other runs.

    Raises:
        MissingError: the run is not finished.
        CorruptError: the file is damaged.
    """
    found = read_json(folder / RESULT)
    check_form(found, _RESULT, folder / RESULT, "Train again with --fresh.")
    result: RunResult = found
    return result


def received_runs() -> list[Path]:
    """The folders of the runs that came from elsewhere, by name."""
    return [folder for folder in run_folders() if (folder / ORIGIN).is_file()]


def finished_runs() -> list[Path]:
    """The folders of the runs that finished here, the one that finished last first."""
    found = []
    received = received_runs()
    for folder in run_folders():
        if folder in received:
            continue
        try:
            found.append((read_result(folder)["finished"], folder.name, folder))
        except SbirctlError:  # begun, or damaged: `sbirctl runs` says so
            continue
    return [folder for _, _, folder in sorted(found, reverse=True)]


def newest_run() -> Path:
    """The folder of the run that finished last.

    Raises:
        MissingError: no run is finished.
    """
    finished = finished_runs()
    if not finished:
        raise MissingError(
            f"There is no finished run in {display_path(runs_dir())}.",
            "Type `sbirctl train baseline`, or name a file.",
        )
    return finished[0]


def label_of(folder: Path) -> str:
    """What a run is called in tables and pictures, "" where nobody said."""
    try:
        return (folder / LABEL).read_text(encoding="utf-8", errors="replace").strip()[:_LONGEST]
    except OSError:
        return ""


def set_label(folder: Path, label: str) -> None:
    """Keep a label with a run; "" removes it.

    Raises:
        UsageError: it is longer than 80 characters, has a line break or control characters, or
            means something else where a run is named: `@1`, a path.
    """
    text = label.strip()
    if len(text) > _LONGEST or not text.isprintable():
        raise UsageError(
            f"{label[:40]!r} is no label.", f"Give at most {_LONGEST} characters in one line."
        )
    if text in ("-", ".", "..") or "/" in text or _LAST.fullmatch(text):
        raise UsageError(
            f"{text!r} cannot be a label: typed as a run it means something else.",
            "Leave out slashes, and @ before a number.",
        )
    if text:
        with atomic_open(folder / LABEL) as stream:
            stream.write(f"{text}\n".encode())
    else:
        (folder / LABEL).unlink(missing_ok=True)


def find_run(text: str) -> Path | None:
    """The folder of the run that is meant, None where the text means none.

    Args:
        text: a run's whole name, or its label; the beginning of a name, or its last part (eight
            hexadecimal digits, or the first of them), where only one run has it; `@1` for the run
            that finished last, `@2` for the one before.

    Raises:
        MissingError: there are not so many finished runs.
        UsageError: several runs are meant.
    """
    if last := _LAST.fullmatch(text):
        finished = finished_runs()
        if len(finished) < int(last[1]):
            raise MissingError(
                f"{text} is no run: {len(finished)} are finished in {display_path(runs_dir())}.",
                "See `sbirctl runs`.",
            )
        return finished[int(last[1]) - 1]
    if text in ("", ".", "..") or "/" in text:
        return None
    if (runs_dir() / text).is_dir():
        return runs_dir() / text
    folders = run_folders()
    found = [folder for folder in folders if label_of(folder) == text] or [
        folder
        for folder in folders
        if folder.name.startswith(text) or folder.name.rpartition("-")[2].startswith(text)
    ]
    if len(found) > 1:
        names = [folder.name for folder in found]
        raise UsageError(f"{text!r} may be {few(names, _SHOWN)}.", "Type more of the name.")
    return found[0] if found else None
