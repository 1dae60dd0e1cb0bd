"""`prepare`: raw files of a data set to a store, once."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.config import resolve, to_dict
from sbirctl.core.errors import (
    CorruptError,
    MismatchError,
    MissingError,
    SbirctlError,
    UsageError,
)
from sbirctl.core.files import human_bytes
from sbirctl.core.progress import SILENT, Reporter, going_on
from sbirctl.datasets import DATASETS, Dataset
from sbirctl.datasets.published.catalogue import KINDS, catalogue
from sbirctl.datasets.published.downloads import choose_copy, describe, download
from sbirctl.datasets.readers.archive import identity_of, open_tree, peek
from sbirctl.datasets.readers.tree import Tree
from sbirctl.splits.store_lists import UnseenChoice, choose, write_split, write_test_instances
from sbirctl.store.captions import write_captions
from sbirctl.store.manifest import MODALITIES, Items
from sbirctl.store.pool import Workers
from sbirctl.store.raw import RawDataset
from sbirctl.store.reader import MANIFEST, Store, store_folder
from sbirctl.store.writer import (
    StoreSettings,
    expect_images,
    pixel_bytes,
    store_lock,
    write_store,
)

WORK = "work"
Inputs = Mapping[str, Sequence[Path]]
Peeked = Mapping[str, Sequence[Path | Tree]]


@dataclass(frozen=True)
class BadLimit:
    """How many files may be unreadable before the exit status says so: a share or a count."""

    text: str = "1%"

    def exceeded(self, bad: int, total: int) -> bool:
        """Whether so many of so many are too many."""
        if self.text.endswith("%") or "." in self.text:
            return bad > self._number() * total
        return bad > self._number()

    def __post_init__(self) -> None:
        if not self._number() >= 0:
            raise UsageError(
                f"--max-bad {self.text} is negative.", "Write a share or a number: --max-bad 2%."
            )

    def _number(self) -> float:
        try:
            return float(self.text.removesuffix("%")) / (100 if self.text.endswith("%") else 1)
        except ValueError as error:
            raise UsageError(
                f"--max-bad {self.text} is no number.",
                "Write a share as 1% or 0.01, a count as 20.",
            ) from error


def prepare(
    dataset: str,
    inputs: Inputs,
    *,
    name: str = "",
    options: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    unseen: UnseenChoice | None = None,
    max_bad: BadLimit | None = None,
    workers: int | None = None,
    fresh: bool = False,
    dry_run: bool = False,
    copy: str = "",
    report: Reporter = SILENT,
) -> Path | None:
    """Make the store of a data set, continue a stopped one, or find that it is there already.

    Args:
        dataset: name of the reader.
        inputs: folders and archives by role; {} for the store that is there, or else for the
            publisher's archives, which are then fetched.
        name: the store's name; "" for the data set's own.
        options: choices of the reader, by name, as given by a person.
        settings: fields of `StoreSettings` that were given.
        unseen: writes the data set's own split.
        max_bad: how many unreadable files are borne; `BadLimit()` by default.
        workers: processes, see `build_store`.
        fresh: make it anew even if it is there.
        dry_run: only say what would be done.
        copy: which of several copies is fetched; "" for the first that is not known to be dead.
        report: for notes and progress.

    Returns:
        The store's folder; None from a dry run.

    Raises:
        MissingError: nothing was given and nothing is prepared; the inputs hold nothing.
        MismatchError: the store is there, made from other files or settings.
        CorruptError: more files than `max_bad` are unreadable (the store is made all the same).
    """
    reader = DATASETS.get(dataset)()
    chosen: Any = resolve(reader.Options, options or {})
    folder = store_folder(name or dataset)
    limit = max_bad or BadLimit()
    given = any(inputs.values()) or not reader.inputs
    if given and copy:
        raise UsageError(
            f"--copy {copy} says what to fetch, and files were given already.", "Leave one out."
        )
    wanted = resolve(StoreSettings, settings or {})
    if not given and (fresh or not (folder / MANIFEST).is_file()):
        archives = _archives(reader, copy, wanted, folder.name, dry_run, report)
        if archives is None:
            return None
        inputs, given = {"from": archives}, True
    peeked = {role: [peek(path) for path in inputs[role]] for role in reader.inputs if given}
    if dry_run:
        if given:
            _describe(reader, peeked, chosen, wanted, folder.name, unseen, report)
        return None
    with (
        going_on(f"while preparing {folder.name}"),
        store_lock(folder),
        Workers(workers) as pool,
    ):
        request = _request(reader, peeked, chosen, folder.name, report) if given else None
        if (folder / MANIFEST).is_file() and not fresh:
            store = Store.open(folder)
            _must_match(store, dataset, request, to_dict(wanted), settings or {})
            report.note(f"{folder.name} is prepared already.")
        else:
            assert request is not None
            expect_images(pool, sum(len(tree.files) for tree in _listed(peeked)))
            with _nothing_unpacked(folder):
                source = _source(reader, peeked, chosen, folder.name, folder / WORK, report)
                _check_unseen(source, unseen)
            store = _make(source, wanted, folder, request, pool, report)
            _tell(store, report)
        if unseen is not None:
            write_split(folder, folder.name, _classes_of_both(store), unseen)
    _check_bad(store, limit)
    return folder


def check_inputs(dataset: str, name: str, given: Inputs) -> Inputs:
    """The paths a data set takes, all of them or none.

    Raises:
        UsageError: it does not take them, or one is missing.
    """
    roles = DATASETS.get(dataset).inputs
    flags = " and ".join(f"--{role}" for role in roles) or "no files"
    if set(given) - set(roles):
        raise UsageError(
            f"{dataset} takes {flags}, not --{min(set(given) - set(roles))}.",
            "See `sbirctl prepare --help`.",
        )
    if given and set(given) != set(roles):
        raise UsageError(
            f"{dataset} takes {flags}; --{min(set(roles) - set(given))} is missing.", "Add it."
        )
    if dataset == "folder" and not name:
        raise UsageError("The data set has no name.", "Give one with --name.")
    return {role: [path.expanduser() for path in paths] for role, paths in given.items()}


def _archives(
    reader: Dataset,
    copy: str,
    settings: StoreSettings,
    name: str,
    dry_run: bool,
    report: Reporter,
) -> list[Path] | None:
    """The publisher's archives, fetched; None from a dry run, which only says what they are."""
    if not catalogue(reader.name).copies:
        raise _nothing_given(reader, name)
    chosen = choose_copy(reader.name, copy)
    if dry_run:
        totals = catalogue(reader.name).totals(*KINDS)
        pixels = totals.pop("sketches", 0) + 3 * sum(totals.values())
        describe(reader.name, chosen, settings.size**2 * pixels, report=report)
        return None
    return download(reader.name, chosen, report=report)


def _request(
    reader: Dataset, inputs: Peeked, options: Any, name: str, report: Reporter
) -> dict[str, Any]:
    """What identifies the raw files and how they are read, without unpacking any archive."""
    if not reader.inputs:
        identities: dict[str, Any] = {
            "drawn": reader.read({}, options, name=name, report=report).identity
        }
    else:
        identities = {role: [identity_of(one) for one in inputs[role]] for role in reader.inputs}
    return {"options": to_dict(options), "inputs": identities}


@contextmanager
def _nothing_unpacked(folder: Path) -> Iterator[None]:
    """Removes unpacked archives where what they hold is refused."""
    try:
        yield
    except SbirctlError:
        shutil.rmtree(folder / WORK, ignore_errors=True)
        raise


def _check_unseen(source: RawDataset, unseen: UnseenChoice | None) -> None:
    """Refuse names of unseen classes before any image is decoded."""
    if unseen is not None:
        sides = [
            {item.class_name for item in source.items if item.modality == modality}
            for modality in MODALITIES
        ]
        choose(sorted(set.intersection(*sides)), unseen)


def _make(
    source: RawDataset,
    settings: StoreSettings,
    folder: Path,
    request: dict[str, Any],
    workers: Workers,
    report: Reporter,
) -> Store:
    for remark in source.remarks:
        report.note(remark)
    source = replace(source, facts={**source.facts, "request": request})

    def beside(items: Items) -> None:
        write_test_instances(folder, folder.name, source.test_instances, items.instances)
        write_captions(folder, source.captions)

    write_store(folder, source, settings, workers, beside=beside, report=report)
    store = Store.open(folder)
    shutil.rmtree(folder / WORK, ignore_errors=True)
    return store


def _listed(inputs: Peeked) -> list[Tree]:
    """Folders; what an archive holds is not known yet."""
    return [one for some in inputs.values() for one in some if isinstance(one, Tree)]


def _source(
    reader: Dataset, inputs: Peeked, options: Any, name: str, work: Path, report: Reporter
) -> RawDataset:
    trees = {role: [open_tree(one, work) for one in inputs[role]] for role in reader.inputs}
    source = reader.read(trees, options, name=name, report=report)
    used = {item.tree for item in source.items}
    for index, tree in enumerate(one for role in reader.inputs for one in trees[role]):
        if index not in used and not tree.others:  # file lists and the like take no part themselves
            report.warn(f"Nothing was taken from {tree.label}: is it the right folder?")
    return source


def _must_match(
    store: Store,
    dataset: str,
    request: dict[str, Any] | None,
    settings: dict[str, Any],
    explicit: Mapping[str, Any],
) -> None:
    """The store that is there is the one asked for.

    Raises:
        MismatchError: it is of another data set, other settings or other files.
    """
    hint = "Type --fresh to make it anew, or --name for a second one."
    made = store.manifest["source"]
    if store.manifest["dataset"] != dataset:
        raise MismatchError(
            f"{store.name!r} is prepared already, from {store.manifest['dataset']}.", hint
        )
    asked = settings if request is not None else {key: settings[key] for key in explicit}
    differ = {k: v for k, v in asked.items() if store.settings.get(k) != v}
    before = made.get("request", {})
    if request is not None:
        options = before.get("options", {})
        differ |= {k: v for k, v in request["options"].items() if options.get(k) != v}
    if differ:
        key, value = next(iter(differ.items()))
        there = store.settings.get(key, before.get("options", {}).get(key))
        raise MismatchError(
            f"{store.name!r} is prepared already with {key}={there}, not {value}.", hint
        )
    if request is not None and before.get("inputs") != request["inputs"]:
        raise MismatchError(
            f"{store.name!r} is prepared already, and the files it was made from have changed.",
            hint,
        )


def _nothing_given(reader: Dataset, name: str) -> MissingError:
    flags = " ".join(f"--{role} PATH" for role in reader.inputs)
    again = f"`sbirctl prepare {reader.name} {flags}`"
    if not reader.page:
        return MissingError(f"No folders were given for {name!r}.", f"Type {again}.")
    return MissingError(
        f"{name!r} is not prepared, and nothing was given to prepare it from.",
        f"See {reader.page}: get {reader.download}; then type {again}.",
    )


def _describe(
    reader: Dataset,
    inputs: Peeked,
    options: Any,
    settings: StoreSettings,
    name: str,
    unseen: UnseenChoice | None,
    report: Reporter,
) -> None:
    with tempfile.TemporaryDirectory(prefix="sbirctl-") as work:
        source = _source(reader, inputs, options, name, Path(work), report)
    _check_unseen(source, unseen)
    for remark in source.remarks:
        report.note(remark)
    for reason, count in sorted(source.ignored.items()):
        report.note(f"Left aside, {reason}: {count:,}.")
    counts = Counter(item.modality for item in source.items)
    size = pixel_bytes(counts, settings.size)
    report.note(f"The store {name!r} would take at most {human_bytes(size)}. Nothing was written.")


def _tell(store: Store, report: Reporter) -> None:
    """A few lines on what came out."""
    for reason, count in store.manifest["ignored"].items():
        report.note(f"Left aside, {reason}: {count:,}.")
    total = store.manifest["counts"][""]
    if total.get("copies"):
        report.note(f"{total['copies']:,} files repeat others; their pixels are kept once.")
    for remark, told in (store.manifest.get("remarks") or {}).items():
        report.warn(f"{told['count']:,} sketches: {remark}, the first: {told['first']}.")
    skipped = store.manifest["skipped"]
    if skipped:
        reasons = Counter(entry["modality"] for entry in skipped)
        counts = ", ".join(f"{n} of the {m} files" for m, n in sorted(reasons.items()))
        first = skipped[0]
        report.warn(
            f"{counts} could not be read, the first: {first['path']}: {first['reason']}; "
            f'all are under "skipped" in {MANIFEST}.'
        )


def _check_bad(store: Store, limit: BadLimit) -> None:
    bad, counts = len(store.manifest["skipped"]), store.manifest["counts"][""]
    total = bad + counts.get("photos", 0) + counts.get("sketches", 0)
    if limit.exceeded(bad, total):
        raise CorruptError(
            f"{bad:,} of {total:,} files could not be read, more than --max-bad {limit.text}.",
            f'They are under "skipped" in {store.folder / MANIFEST}; the rest is prepared.',
        )


def _classes_of_both(store: Store) -> tuple[str, ...]:
    items = store.items
    both = np.intersect1d(items.label[items.where("photo")], items.label[items.where("sketch")])
    return tuple(items.classes[i] for i in both)
