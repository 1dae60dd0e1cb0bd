"""One resolver for class splits: published lists, a store's own, and files a person wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path

from sbirctl.core.errors import MissingError, UsageError, nearest
from sbirctl.core.files import digest_json, display_path
from sbirctl.core.text import read_text
from sbirctl.splits import lists
from sbirctl.splits.spellings import canonical, match

ALL = "all"
"""The split that keeps every class from training: for models that are only measured."""


@dataclass(frozen=True)
class ClassSplit:
    """Which classes of a data set are unseen.

    Attributes:
        name: "sketchy/imagenet21"; for a file of one's own its data set and stem.
        dataset: name of the data set.
        unseen: the unseen classes in the list's order, spelled as the data set's sketch folders.
        classes: all classes of the data set, sorted; empty when they are not known.
        kind: "unseen", "generalised" (`unseen` then holds the *seen* classes that join the test
            side of the split named by the header's `of`) or "instances".
        header: what the list says of itself (protocol, source, also-known-as, notes, …).
        path: the file, for people.
    """

    name: str
    dataset: str
    unseen: tuple[str, ...]
    classes: tuple[str, ...] = ()
    kind: str = "unseen"
    header: dict[str, str] = field(default_factory=dict)
    path: str = ""

    @property
    def all_classes(self) -> bool:
        """Whether it is the split `all`, which tests every class and leaves none to train on."""
        return self.name == f"{self.dataset}/{ALL}"

    @property
    def seen(self) -> tuple[str, ...]:
        """The other classes, sorted."""
        unseen = set(self.unseen)
        return tuple(name for name in self.classes if name not in unseen)

    @property
    def digest(self) -> str:
        """SHA-256 over data set, kind and names: order and comments do not matter."""
        return digest_json([self.dataset, self.kind, sorted(self.unseen), sorted(self.classes)])


def find(
    dataset: str,
    name: str = "",
    *,
    folders: Sequence[Path] = (),
    classes: Iterable[str] = (),
) -> ClassSplit:
    """The split of that name, or the data set's default.

    Args:
        dataset: name of the data set; "" when `name` carries it ("sketchy/imagenet21").
        name: "imagenet21", "sketchy/imagenet21", the path of a list file, or "all": every class is
            unseen. "" is the default: a
            `default.txt` in one of the folders, else the published list marked so.
        folders: further places to look in, such as `<store>/splits`.
        classes: the data set's classes where no published list has them.

    A list of another data set may be named too; its classes must then be found among `classes`.

    Raises:
        UsageError: there is no such split (the nearest is named), or no default.
        MissingError: a path that is not there.
        MismatchError: the list names classes the data set does not have.
        CorruptError: the list cannot be read.
    """
    if name == ALL:
        return _all(dataset, classes)
    place, full = _locate(dataset, name, folders)
    dataset = dataset or full.partition("/")[0]
    return _load(place, full, dataset, classes)


def published(dataset: str = "") -> Iterator[ClassSplit]:
    """The published lists, of one data set or of all, sorted by name."""
    for one in [dataset] if dataset else lists.datasets():
        yield from _published(str(lists.root()), one)


def known_classes(dataset: str) -> tuple[str, ...]:
    """All classes of a data set as published, sorted; empty where there is no such list."""
    return _known_classes(str(lists.root()), dataset)


# What is published does not change while the program runs; a report asks for it thousands of times.


@cache
def _published(root: str, dataset: str) -> tuple[ClassSplit, ...]:  # noqa: ARG001 - a key
    return tuple(
        _load(lists.root() / dataset / f"{stem}.txt", f"{dataset}/{stem}", dataset, ())
        for stem in lists.list_names(dataset)
    )


@cache
def _known_classes(root: str, dataset: str) -> tuple[str, ...]:  # noqa: ARG001 - a key
    place = lists.root() / dataset / "classes.txt"
    if not dataset or not place.is_file():
        return ()
    content = _read(place, f"{dataset}/classes")
    return tuple(sorted(canonical(name, dataset) for name in content.names))


def _all(dataset: str, classes: Iterable[str]) -> ClassSplit:
    """Every class is a test class."""
    known = tuple(sorted(classes)) or known_classes(dataset)
    if not known:
        raise UsageError(f"The classes of {dataset or 'no data set'} are not known.", "")
    return ClassSplit(f"{dataset}/{ALL}", dataset, known, known, header={"status": "all classes"})


def _locate(dataset: str, name: str, folders: Sequence[Path]) -> tuple[Traversable, str]:
    if not name:
        return _default(dataset, folders)
    if name.endswith(".txt"):
        path = Path(name).expanduser()
        if not path.is_file():
            raise MissingError(
                f"There is no split file {display_path(path)}.",
                "Give a list of class names, or a name from `sbirctl splits`.",
            )
        return path, f"{dataset or path.parent.name}/{path.stem}"
    prefix, _, stem = name.rpartition("/")
    owner = prefix or dataset
    for folder in folders if owner == dataset else ():
        if (folder / f"{stem}.txt").is_file():
            return folder / f"{stem}.txt", f"{owner}/{stem}"
    if stem in lists.list_names(owner):
        return lists.root() / owner / f"{stem}.txt", f"{owner}/{stem}"
    raise UsageError(f"There is no split {name!r}.", _known(owner, folders, stem))


def _default(dataset: str, folders: Sequence[Path]) -> tuple[Traversable, str]:
    for folder in folders:
        if (folder / "default.txt").is_file():
            return folder / "default.txt", f"{dataset}/default"
    for stem in lists.list_names(dataset):
        place = lists.root() / dataset / f"{stem}.txt"
        if _read(place, f"{dataset}/{stem}").header.get("default") == "yes":
            return place, f"{dataset}/{stem}"
    raise UsageError(
        f"{dataset} has no split of its own.",
        "Name one with --split FILE.txt, unseen classes one a line; --split all tests every class.",
    )


def _known(dataset: str, folders: Sequence[Path], wanted: str) -> str:
    own = {p.stem for folder in folders if folder.is_dir() for p in folder.glob("*.txt")}
    names = {f"{dataset}/{stem}" for stem in own | set(lists.list_names(dataset))}
    if not names:
        names = {split.name for split in published()}
    return nearest(f"{dataset}/{wanted}" if dataset else wanted, names)


def _load(place: Traversable, name: str, dataset: str, classes: Iterable[str]) -> ClassSplit:
    content = _read(place, name)
    known = tuple(sorted(classes)) or known_classes(dataset)
    if content.kind == "instances":
        unseen = content.names
    elif known:
        unseen = match(content.names, known, f"split {name}")
    else:
        unseen = tuple(canonical(one, dataset) for one in content.names)
    shown = display_path(str(place))
    return ClassSplit(name, dataset, unseen, known, content.kind, content.header, shown)


def _read(place: Traversable, name: str) -> lists.ListFile:
    return lists.parse(read_text(place), f"split {name}")
