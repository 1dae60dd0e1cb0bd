"""Which run a person means: a name, the beginning of one, its hash, or `@1` for the last."""

from __future__ import annotations

import re
from pathlib import Path

from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.files import display_path, read_json
from sbirctl.core.home import runs_dir

_LAST = re.compile(r"@([1-9][0-9]*)")
_SHOWN = 5


def run_folders() -> list[Path]:
    """The folders of all runs, begun or finished, by name."""
    return sorted(path.parent for path in runs_dir().glob("*/config.toml"))


def finished_runs() -> list[Path]:
    """The folders of the finished runs, the one that finished last first."""
    found = []
    for folder in run_folders():
        try:
            found.append((str(read_json(folder / "result.json")["finished"]), folder.name, folder))
        except (SbirctlError, LookupError, TypeError):  # begun, or damaged: `sbirctl runs` says so
            continue
    return [folder for _, _, folder in sorted(found, reverse=True)]


def find_run(text: str) -> Path | None:
    """The folder of the run that is meant, None where the text means none.

    Args:
        text: a run's whole name; the beginning of one, or its last part (eight hexadecimal
            digits, or the first of them), where only one run has it; `@1` for the run that
            finished last, `@2` for the one before.

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
    found = [
        folder
        for folder in run_folders()
        if folder.name.startswith(text) or folder.name.rpartition("-")[2].startswith(text)
    ]
    if len(found) > 1:
        names = [folder.name for folder in found]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise UsageError(
            f"{text!r} may be {', '.join(names[:_SHOWN])}{more}.", "Type more of the name."
        )
    return found[0] if found else None
