"""Names that a package offers and whose files are imported on first use (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType

# What a package's file imports for itself; `dir` and completion are for what it offers.
_MACHINERY = {"TYPE_CHECKING", "annotations", "lazy_attributes"}


def lazy_attributes(
    package: str, homes: Mapping[str, tuple[str, ...]], modules: tuple[str, ...] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package; `dir` lists what it offers.

    Type checkers do not follow it: import the same names under `if TYPE_CHECKING` beside it.

    Args:
        package: its `__name__`.
        homes: {file of the package: the names it gives}.
        modules: files and packages in it that are names themselves.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def get(name: str) -> object:
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        own = {
            name
            for name, value in vars(sys.modules[package]).items()
            if not isinstance(value, ModuleType) and name not in _MACHINERY
        }
        return sorted({*own, *home_of, *modules})

    return get, names
