"""Dr. CLIP's Table 1 from what is prepared here, beside what the paper prints."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sbirctl.core.errors import SbirctlError
from sbirctl.core.home import datasets_dir
from sbirctl.splits.generalised import added
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, Holdout, Instances, split_for

ITEMS = ("classes", "training", "testing", "sketches", "photos")


@dataclass(frozen=True)
class Row:
    """One column of the paper's table.

    Attributes:
        task: cg, fg, cd or gzs.
        title: as printed.
        prepared: classes, training and testing classes (fg: instances), sketches, photos; None
            where it is not prepared.
        published: the same as printed.
        note: why there is nothing, or what the numbers rest on.
    """

    task: str
    title: str
    prepared: tuple[int | None, ...]
    published: tuple[int, ...]
    note: str = ""


def drclip_table() -> list[Row]:
    """All columns of the table, in its order."""
    text = files("sbirctl.datasets").joinpath("drclip_table1.toml").read_text("utf-8")
    stores = _stores()
    return [_row(entry, stores) for entry in tomllib.loads(text)["row"]]


def _stores() -> dict[str, Store]:
    """Prepared stores by data set; one of the data set's own name comes first."""
    root = datasets_dir()
    found: dict[str, Store] = {}
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        try:
            store = Store.open(folder)
        except SbirctlError:
            continue
        dataset = store.manifest["dataset"]
        if dataset not in found or store.name == dataset:
            found[dataset] = store
    return found


def _row(entry: dict[str, Any], stores: dict[str, Store]) -> Row:
    published = tuple(entry[item] for item in ITEMS)
    needed = [entry["source"], *([entry["target"]] if "target" in entry else [])]
    missing = [name for name in needed if name not in stores]
    nothing: tuple[int | None, ...] = (None,) * len(ITEMS)
    if missing:
        note = f"{' and '.join(missing)}: not prepared"
        return Row(entry["task"], entry["title"], nothing, published, note)
    try:
        numbers, note = _COUNTERS[entry["task"]](entry, stores)
    except SbirctlError as error:
        return Row(entry["task"], entry["title"], nothing, published, error.message)
    return Row(entry["task"], entry["title"], numbers, published, note)


def _numbers(store: Store, classes: Iterable[str] | None = None) -> tuple[int, int]:
    """(sketches, photos) of some classes, or of all; extended photos alone where there are any."""
    counts = store.manifest["counts"]
    chosen = [counts[name] for name in classes] if classes is not None else [counts[""]]
    extended = counts[""].get("photos_extended")
    photos = "photos_extended" if extended else "photos"
    return sum(c.get("sketches", 0) for c in chosen), sum(c.get(photos, 0) for c in chosen)


def _by_class(entry: dict[str, Any], stores: dict[str, Store]) -> tuple[tuple[int, ...], str]:
    store = stores[entry["source"]]
    split = split_for(store, entry["split"])
    testing = len(split.unseen)
    note = split.name
    if entry["task"] == "gzs":
        joined, origin = added(split, [store.folder / "splits"])
        testing += len(joined)
        note = f"{split.name}, {origin}"
    return (len(split.classes), len(split.seen), testing, *_numbers(store)), note


def _by_instance(entry: dict[str, Any], stores: dict[str, Store]) -> tuple[tuple[int, ...], str]:
    store = stores[entry["source"]]
    instances = Instances(store)
    _, gallery, rule = instances.test(instances.listed)
    total = int((instances.photo >= 0).sum())
    return (total, total - len(gallery), len(gallery), *_numbers(store)), rule


def _across(entry: dict[str, Any], stores: dict[str, Store]) -> tuple[tuple[int, ...], str]:
    source, target = stores[entry["source"]], stores[entry["target"]]
    task = TASKS.get("cd")
    options = task.Options(protocol="drclip")
    partition = task.build(source, target, None, options, Holdout(0.0))
    seen = split_for(source, partition.provenance.source_split or "").seen
    tested = partition.test.classes
    sketches, photos = (
        a + b for a, b in zip(_numbers(source, seen), _numbers(target, tested), strict=True)
    )
    numbers = (len(seen) + len(tested), len(seen), len(tested), sketches, photos)
    return numbers, f"{partition.provenance.split} ({partition.provenance.class_list})"


_COUNTERS = {"cg": _by_class, "gzs": _by_class, "fg": _by_instance, "cd": _across}
