"""What every data set's reader keeps to; most of it needs files to read."""

from __future__ import annotations

import dataclasses
import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sbirctl.checks import ContractError, NotCheckedError, require
from sbirctl.core.config import describe
from sbirctl.core.errors import SbirctlError
from sbirctl.datasets import DATASETS, Dataset
from sbirctl.datasets.readers.archive import open_tree, peek
from sbirctl.datasets.readers.tree import Tree
from sbirctl.store.images import load_image
from sbirctl.store.manifest import MODALITIES
from sbirctl.store.raw import RawDataset, RawItem

_SHOWN = 3
_DECODED = 20
_SIZE = 32


@dataclass(frozen=True)
class DatasetSubject:
    """A registered data set, and what there is to read of it.

    Attributes:
        name: of the reader.
        inputs: folders and archives by role; {} for none.
    """

    name: str
    inputs: Mapping[str, Sequence[Path]] = field(default_factory=dict)

    @property
    def reader(self) -> Dataset:
        """A reader."""
        return DATASETS.get(self.name)()

    def read(self, work: Path) -> RawDataset:
        """What the reader makes of the inputs.

        Args:
            work: where archives are unpacked.

        Raises:
            NotCheckedError: there is nothing to read.
        """
        reader = self.reader
        absent = [role for role in reader.inputs if not self.inputs.get(role)]
        if absent:
            roles = ", ".join(f"--{role}" for role in absent)
            raise NotCheckedError(f"nothing to read was given ({roles})")
        trees: dict[str, list[Tree]] = {
            role: [open_tree(peek(path), work) for path in self.inputs[role]]
            for role in reader.inputs
        }
        return reader.read(trees, reader.Options(), name=self.name)


def is_described(subject: DatasetSubject) -> None:
    """It has a title, a page where it has files, and a frozen dataclass of options with help."""
    reader = subject.reader
    require(reader.title, "it has no title")
    require(not reader.inputs or reader.page or reader.name == "folder", "it has no page")
    require(dataclasses.is_dataclass(reader.Options), "Options is no dataclass")
    frozen = reader.Options.__dataclass_params__.frozen  # type: ignore[attr-defined]
    require(frozen, f"{reader.Options.__name__} is not frozen")
    bare = [one.key for one in describe(reader.Options) if not one.help]
    require(not bare, f"no help for {', '.join(bare)}")
    reader.Options()


def refuses_what_is_none_of_it(subject: DatasetSubject) -> None:
    """A folder without pictures is refused with a message."""
    reader = subject.reader
    if not reader.inputs:
        raise NotCheckedError("it draws its pictures")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "readme.txt").write_text("No pictures are here.")
        trees = {role: [open_tree(peek(folder), folder / "work")] for role in reader.inputs}
        try:
            found = reader.read(trees, reader.Options(), name=subject.name)
        except SbirctlError:
            return
    require(found.items == (), "it finds items in a folder without pictures")
    require(False, "it reads a folder without pictures as an empty data set")


def items_are_told_apart(subject: DatasetSubject) -> None:
    """Its items have ids of their own, a modality, a class, a path in bytes and a known origin."""
    with tempfile.TemporaryDirectory() as name:
        source = subject.read(Path(name))
    require(source.items, "it has no items")
    ids = {item.id for item in source.items}
    require(len(ids) == len(source.items), "two items have one id")
    for what, wrong in _WRONG.items():
        found = [item.id for item in source.items if wrong(item)]
        require(not found, f"{what}: {', '.join(found[:_SHOWN])}")
    lost = [i.id for i in source.items if i.copy_of and i.copy_of not in ids]
    require(not lost, f"a copy of what is not there: {', '.join(lost[:_SHOWN])}")
    strange = [i.id for i in source.items if i.origin not in source.origins]
    require(not strange, f"an origin that is not listed: {', '.join(strange[:_SHOWN])}")
    missing = set(MODALITIES) - {item.modality for item in source.items}
    require(not missing, f"it has no {' and no '.join(sorted(missing))}s")
    require(source.dataset == subject.name, f"dataset={source.dataset!r}")


_WRONG: dict[str, Callable[[RawItem], bool]] = {
    "an id that cannot be printed": lambda item: not item.id.isprintable(),
    "no modality": lambda item: item.modality not in MODALITIES,
    "no class": lambda item: not item.class_name.strip(),
    "a path that is not bytes": lambda item: not isinstance(item.path, bytes),
    "an instance that is not <class>/<photo>": lambda item: (
        bool(item.instance) and "/" not in item.instance
    ),
    "a negative size": lambda item: item.size < 0,
}


def reading_twice_is_the_same(subject: DatasetSubject) -> None:
    """Reading twice gives the same items and the same identity."""
    with tempfile.TemporaryDirectory() as name:
        first, second = subject.read(Path(name) / "a"), subject.read(Path(name) / "b")
    require(first.identity, "it has no identity")
    require(first.identity == second.identity, "its identity changes")
    require({i.id for i in first.items} == {i.id for i in second.items}, "its items change")


def pictures_can_be_read_elsewhere(subject: DatasetSubject) -> None:
    """Its function `read` goes to another process, and its pictures can be decoded."""
    with tempfile.TemporaryDirectory() as name:
        source = subject.read(Path(name))
        try:
            read = pickle.loads(pickle.dumps(source.read))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ContractError(f"`read` cannot be pickled: {error}") from error
        for modality in MODALITIES:
            own = [item for item in source.items if item.modality == modality]
            for item in own[:: max(1, len(own) // _DECODED)]:
                try:
                    load_image(bytes(read(item)), modality, _SIZE)
                except (SbirctlError, OSError) as error:
                    require(False, f"{item.id}: {error}")


CHECKS: tuple[Callable[[DatasetSubject], None], ...] = (
    is_described,
    refuses_what_is_none_of_it,
    items_are_told_apart,
    reading_twice_is_the_same,
    pictures_can_be_read_elsewhere,
)
