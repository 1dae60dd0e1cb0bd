"""Where things are kept: `$SBIRCTL_HOME`, else the platform's user data directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def galleries_dir() -> Path:
    """`<home>/galleries`: one folder a gallery of one's own photos."""
    return home() / "galleries"


def datasets_dir() -> Path:
    """`<home>/datasets`: one folder a prepared data set."""
    return home() / "datasets"


def runs_dir() -> Path:
    """`<home>/runs`: one folder a training run."""
    return home() / "runs"
