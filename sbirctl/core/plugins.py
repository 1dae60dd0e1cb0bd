"""Python files of one's own whose things count as registered ones."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.files import display_path

_loaded: dict[Path, ModuleType] = {}


def load_file(path: Path) -> ModuleType:
    """Run a Python file once, as the module `sbirctl_plugin_<its name>`.

    What it registers is found by its name from then on.

    Raises:
        MissingError: there is no such file.
        UsageError: another file of that name was loaded, or what it brings has a name that is
            taken.
        SbirctlError: it raises an error.
    """
    place = path.expanduser().absolute()
    if place in _loaded:
        return _loaded[place]
    if not place.is_file():
        raise MissingError(f"There is no file {display_path(path)}.", "Check the path.")
    name = f"sbirctl_plugin_{place.stem}"
    if name in sys.modules:
        raise UsageError(
            f"Two plug-ins are called {place.name}.", "Give one of the files another name."
        )
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise UsageError(f"{display_path(path)} is no Python file.", "Name a .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as pickle and dataclasses look for it
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, SbirctlError) or not isinstance(error, Exception):
            raise
        raise SbirctlError(
            f"{display_path(path)} cannot be loaded: {type(error).__name__}: {error}.",
            f"Mend it; `python {display_path(path)}` says where.",
        ) from error
    _loaded[place] = module
    return module


def loaded_files() -> tuple[Path, ...]:
    """The files loaded so far, for processes that are started."""
    return tuple(_loaded)


def load_files(paths: Iterable[Path]) -> None:
    """`load_file` of each."""
    for path in paths:
        load_file(path)
