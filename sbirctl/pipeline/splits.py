"""`splits`: what class lists there are, and one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sbirctl.core.errors import SbirctlError, UsageError, nearest
from sbirctl.core.home import datasets_dir
from sbirctl.splits.audit import Finding, audit
from sbirctl.splits.resolve import ClassSplit, find, known_classes, published


def rows(dataset: str = "") -> list[dict[str, Any]]:
    """One row a list: name, kind, number of unseen and seen classes, status, source, digest.

    Of a generalised list "unseen" counts the seen classes that join the test side.

    Raises:
        UsageError: a data set without lists.
    """
    splits = [*published(dataset), *_prepared(dataset)]
    if dataset and not splits:
        raise UsageError(f"There are no splits of {dataset!r}.", nearest(dataset, _datasets()))
    return [
        {
            "name": split.name,
            "kind": split.kind,
            "unseen": len(split.unseen),
            "seen": len(split.seen),
            "default": split.header.get("default") == "yes",
            "status": split.header.get("status", ""),
            "source": split.header.get("source", ""),
            "digest": split.digest,
        }
        for split in splits
    ]


def get(name: str) -> ClassSplit:
    """The split of a full name ("sketchy/imagenet21") or of a file.

    Raises:
        UsageError: there is no such split.
    """
    dataset = name.partition("/")[0] if "/" in name and not name.endswith(".txt") else ""
    if not dataset and not name.endswith(".txt"):
        full = [split.name for split in published() if split.name.endswith(f"/{name}")]
        if len(full) > 1:
            raise UsageError(f"{name!r} names several splits.", f"Known: {', '.join(full)}.")
        if not full:
            known = [split.name for split in published()]
            raise UsageError(f"There is no split {name!r}.", nearest(name, known))
        dataset, name = full[0].partition("/")[0], full[0]
    return find(dataset, name, folders=_folders(dataset), classes=_classes(dataset))


def check(name: str) -> tuple[ClassSplit, list[Finding]]:
    """A split and its overlaps with ImageNet-1k (see `splits.audit`)."""
    split = get(name)
    return split, audit(split)


def _folders(dataset: str) -> list[Path]:
    folder = datasets_dir() / dataset / "splits"
    return [folder] if dataset and folder.is_dir() else []


def _prepared(dataset: str) -> list[ClassSplit]:
    """Lists that prepared data sets bring along."""
    base = datasets_dir()
    places = sorted(base.glob("*/splits/*.txt")) if base.is_dir() else []
    found = []
    for place in places:
        owner = place.parent.parent.name
        if dataset in ("", owner):
            found.append(_own(owner, place))
    return found


def _own(dataset: str, place: Path) -> ClassSplit:
    """A list of a prepared data set; one that cannot be read says so and stops no other."""
    name = f"{dataset}/{place.stem}"
    try:
        return find(dataset, name, folders=[place.parent], classes=_classes(dataset))
    except SbirctlError as error:
        return ClassSplit(name, dataset, (), (), header={"status": f"damaged: {error.message}"})


def _classes(dataset: str) -> tuple[str, ...]:
    """The classes of a prepared data set, where no published list has them."""
    if not dataset or known_classes(dataset):
        return ()
    from sbirctl.store.reader import Store

    try:
        return Store.open(dataset).items.classes
    except SbirctlError:
        return ()


def _datasets() -> set[str]:
    return {split.dataset for split in [*published(), *_prepared("")]}
