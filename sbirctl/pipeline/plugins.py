"""A plug-in file: what it brings is found by its name."""

from __future__ import annotations

from pathlib import Path

from sbirctl.core.errors import UsageError
from sbirctl.core.files import display_path
from sbirctl.core.plugins import load_file


def load_plugin(path: Path) -> None:
    """Load models, data sets, tasks, metrics, engines and losses, or a definition.

    Args:
        path: a Python file that registers what it brings, or the TOML file of a definition.

    Raises:
        MissingError: there is no such file.
        UsageError: it is of another kind, or a name it brings is taken.
        SbirctlError: it raises an error.
    """
    if path.suffix == ".py":
        load_file(path)
    elif path.suffix == ".toml":
        from sbirctl.retrieval.definitions import add, read_definition

        add(read_definition(path))
    else:
        raise UsageError(
            f"{display_path(path)} is no plug-in.",
            "Give a Python file, or the TOML file of a definition.",
        )
