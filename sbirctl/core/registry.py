"""What has a name: this package's own things by their files, and those of other packages."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Generic, TypeVar

from sbirctl.core.errors import MissingError, UsageError, nearest

T = TypeVar("T")


class EntryPoints:
    """Modules in which other packages have things of one kind, announced by their names.

    Args:
        kind: what they have, in words ("model"), for messages.
        group: of the entry points; "" for none.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self._group = group

    def all(self) -> Mapping[str, EntryPoint]:
        """{name: where it is announced}; nothing is imported."""
        return _announced(self._group, _installed()) if self._group else {}

    def load(self, point: EntryPoint) -> ModuleType:
        """The module, imported.

        Raises:
            MissingError: the package that announced it no longer has it.
        """
        try:
            return importlib.import_module(point.module)
        except ModuleNotFoundError as error:
            if not f"{point.module}.".startswith(f"{error.name}."):
                raise
            raise self.gone(point) from error

    def gone(self, point: EntryPoint) -> MissingError:
        """What to say where another package announces a thing and its module is not there."""
        package = point.dist.name if point.dist else "another package"
        return MissingError(
            f"The {self.kind} {point.name!r} of {package} should be in {point.module}, which is"
            " not there.",
            f"Install {package} again, or uninstall it.",
        )

    def nothing(self, point: EntryPoint) -> UsageError:
        """What to say where the module has no thing of the announced name."""
        return UsageError(
            f"{point.module} brings no {self.kind} {point.name!r}.",
            f"Register it there, and call it as the entry point of {self._group}.",
        )


def _installed() -> tuple[tuple[str, int], ...]:
    """The folders that packages are installed in, with when something last came or went there."""
    found = []
    for place in sys.path:
        try:
            found.append((place, os.stat(place or ".").st_mtime_ns))
        except OSError:
            found.append((place, -1))
    return tuple(found)


@lru_cache(maxsize=64)
def _announced(
    group: str,
    installed: tuple[tuple[str, int], ...],  # noqa: ARG001 - they decide what is found
) -> Mapping[str, EntryPoint]:
    """What the installed packages announce; finding out takes 20 ms, and tables ask every line."""
    return {e.name: e for e in entry_points(group=group)}


def refuse_another(kind: str, name: str, old: object, new: object) -> None:
    """Raise UsageError where a name is taken; a module may register its own thing again.

    Things are told apart by the module that made them, so that a notebook's cell can be run twice.
    """
    ours, theirs = (getattr(one, "__module__", "") for one in (old, new))
    if ours != theirs:
        raise UsageError(
            f"There is a {kind} {name!r} already, and {theirs} brings another.",
            "Give it another name.",
        )


class Registry(Generic[T]):
    """Things of one kind, each in a file of its own.

    `names()` reads file names (and entry points of other packages) and imports nothing, so help,
    completion and error messages stay quick. `get(name)` imports that one file, which registers
    its thing with the decorator `register`.

    Args:
        kind: what is registered, in words ("model"), for messages.
        package: dotted name of the package whose files are the entries. Packages inside it, and
            files whose name starts with an underscore, are not entries.
        group: entry-point group in which other packages announce theirs.
        files: {name: file of the package}, where the files are not called as their entries.
    """

    def __init__(
        self, kind: str, package: str, *, group: str = "", files: Mapping[str, str] | None = None
    ) -> None:
        self.kind = kind
        self.package = package
        self.outside = EntryPoints(kind, group)
        self._files = files
        self._things: dict[str, T] = {}

    def register(self, thing: T) -> T:
        """Class or function decorator; the name is its attribute `name`, else its file's.

        Raises:
            UsageError: another module has a thing of that name.
        """
        module = getattr(thing, "__module__", "")
        name = str(getattr(thing, "name", module.rpartition(".")[2]))
        if module.rpartition(".")[0] == self.package:
            file = self._own().get(name)
            if file != module.rpartition(".")[2]:
                raise AssertionError(f"{self.kind} {name!r} must live in a file of that name")
        elif name in self._own():
            refuse_another(self.kind, name, None, thing)
        if name in self._things:
            refuse_another(self.kind, name, self._things[name], thing)
        self._things[name] = thing
        return thing

    def names(self) -> tuple[str, ...]:
        """All names, sorted; nothing is imported but the (empty) package itself."""
        return tuple(sorted({*self._own(), *self.outside.all(), *self._things}))

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def module_of(self, name: str) -> str:
        """Where the thing of a known name is; nothing is imported."""
        if name in self._things:
            return str(getattr(self._things[name], "__module__", ""))
        point = self.outside.all().get(name)
        return point.module if point else f"{self.package}.{self._own()[name]}"

    def refuse_unknown(self, name: str) -> None:
        """Raise UsageError where there is no such name (the nearest one is named)."""
        if name not in self.names():
            raise UsageError(f"There is no {self.kind} {name!r}.", nearest(name, self.names()))

    def is_own(self, name: str) -> bool:
        """Whether a known name is of this package rather than of another or of one's own file."""
        return self.module_of(name).rpartition(".")[0] == self.package

    def loaded(self) -> Mapping[str, T]:
        """What was imported so far."""
        return dict(self._things)

    def get(self, name: str) -> T:
        """The thing of that name; its file is imported on first use.

        Raises:
            UsageError: there is no such name (the nearest one is named).
            MissingError: the package that announced it no longer has its module.
        """
        if name not in self._things:
            self._import(name)
        return self._things[name]

    def _own(self) -> Mapping[str, str]:
        """{name: file of the package}."""
        if self._files is not None:
            return self._files
        package = importlib.import_module(self.package)
        return {
            module.name: module.name
            for module in pkgutil.iter_modules(package.__path__)
            if not module.name.startswith("_") and not module.ispkg
        }

    def _import(self, name: str) -> None:
        self.refuse_unknown(name)
        point = self.outside.all().get(name)
        if point is not None:
            self.outside.load(point)
        else:
            importlib.import_module(f"{self.package}.{self._own()[name]}")
        if name not in self._things:
            if point is not None:
                raise self.outside.nothing(point)
            raise AssertionError(f"the file of {self.kind} {name!r} registers nothing of that name")
