"""One registry for models, data sets and tasks: names come from file names, without imports."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from sbirctl.core.errors import MissingError, UsageError, nearest

T = TypeVar("T")


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
    """

    def __init__(self, kind: str, package: str, *, group: str = "") -> None:
        self.kind = kind
        self.package = package
        self._group = group
        self._things: dict[str, T] = {}

    def register(self, thing: T) -> T:
        """Class or function decorator; the name is the name of the file that holds it."""
        name = getattr(thing, "__module__", "").rpartition(".")[2]
        own = getattr(thing, "name", name)
        if own != name:
            raise AssertionError(
                f"{self.kind} {own!r} must live in a file of that name, not {name!r}"
            )
        if name in self._things and self._things[name] is not thing:
            raise AssertionError(f"{self.kind} {name!r} is registered twice")
        self._things[name] = thing
        return thing

    def names(self) -> tuple[str, ...]:
        """All names, sorted; nothing is imported but the (empty) package itself."""
        package = importlib.import_module(self.package)
        own = {
            module.name
            for module in pkgutil.iter_modules(package.__path__)
            if not module.name.startswith("_") and not module.ispkg
        }
        return tuple(sorted(own | set(self._entry_points()) | set(self._things)))

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> T:
        """The thing of that name; its file is imported on first use.

        Raises:
            UsageError: there is no such name (the nearest one is named).
            MissingError: the package that announced it no longer has its module.
        """
        if name not in self._things:
            self._import(name)
        return self._things[name]

    def entry_point(self, name: str) -> EntryPoint | None:
        """Where another package announces `name`; None for this package's own."""
        return self._entry_points().get(name)

    def gone(self, point: EntryPoint) -> MissingError:
        """What to say where another package announces a thing and its module is not there."""
        package = point.dist.name if point.dist else "another package"
        return MissingError(
            f"The {self.kind} {point.name!r} of {package} should be in {point.module}, which is"
            " not there.",
            f"Install {package} again, or uninstall it.",
        )

    def _entry_points(self) -> dict[str, EntryPoint]:
        return {e.name: e for e in entry_points(group=self._group)} if self._group else {}

    def _import(self, name: str) -> None:
        if name not in self.names():
            raise UsageError(f"There is no {self.kind} {name!r}.", nearest(name, self.names()))
        outside = self.entry_point(name)
        load: Callable[[], object]
        if outside is not None:
            load = outside.load
        else:
            load = lambda: importlib.import_module(f"{self.package}.{name}")  # noqa: E731
        try:
            load()
        except ModuleNotFoundError as error:
            gone = outside is not None and f"{outside.module}.".startswith(f"{error.name}.")
            if outside is None or not gone:
                raise
            raise self.gone(outside) from error
        if name not in self._things:
            raise AssertionError(f"the file of {self.kind} {name!r} registers nothing of that name")
