"""Plumbing of the tasks: which photos are gallery, parts from classes, what a result records."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sbirctl.core.config import to_dict
from sbirctl.core.errors import MismatchError, UsageError, few
from sbirctl.retrieval.provenance import Counts, Provenance
from sbirctl.sampling.subsets import ImageSubset, Subset
from sbirctl.splits.resolve import ClassSplit, find
from sbirctl.splits.spellings import match
from sbirctl.store.manifest import Modality
from sbirctl.store.reader import Store
from sbirctl.tasks import TaskOptions


def split_for(store: Store, name: str = "") -> ClassSplit:
    """The split of that name for a prepared data set, else its default.

    Looks in `<store>/splits/`, then among the published lists; see `splits.resolve.find`.
    """
    folders = [store.folder / "splits"]
    return find(dataset_of(store), name, folders=folders, classes=store.items.classes)


def dataset_of(store: Store) -> str:
    """The published data set a store holds, or the store's own name."""
    known = store.manifest.get("dataset", "")
    return known if known and known != "folder" else store.name


def gallery_photos(store: Store, gallery: str) -> tuple[np.ndarray, str]:
    """The photos a data set's gallery is made of, and the convention's name.

    Sketchy's extended folder repeats the original photos, so "both" folders count those twice (on
    imagenet21 12,553 photos) and "extended" once (10,453). A store with one folder has one
    gallery, "all".

    Args:
        gallery: of `GalleryOptions`.

    Returns:
        (n,) int64 entries of `store.items`, copies included where the convention counts them.

    Raises:
        MismatchError: the store has only one of the folders and both are meant, or no extended.
    """
    items = store.items
    photos = items.where("photo")
    present = {items.origins[i] for i in np.unique(items.origin[photos])}
    if "extended" not in present:
        if gallery != "auto":
            raise MismatchError(
                f"{store.name} has no extended photos; gallery={gallery} needs them.",
                "Prepare it with the extended photos, or leave the gallery at auto.",
            )
        return photos, "all"
    if gallery == "both":
        if present == {"extended"}:
            raise MismatchError(
                f"{store.name} has no original photos; gallery=both needs them.",
                "Prepare it with both folders, or leave the gallery at auto.",
            )
        return photos, "both"
    return photos[items.origin[photos] == items.origins.index("extended")], "extended"


def class_subset(
    store: Store,
    classes: Iterable[str],
    photos: np.ndarray,
    sketches: np.ndarray,
    seen: Iterable[str] = (),
) -> Subset:
    """A subset whose labels are classes.

    Args:
        classes: class names of the store; the subset's classes are these, sorted.
        photos, sketches: entries; those of other classes are left out.
        seen: which of the classes are trained on.
    """
    names = tuple(sorted(classes))
    index = {name: i for i, name in enumerate(names)}
    table = np.array([index.get(name, -1) for name in store.items.classes], dtype=np.int64)
    trained = set(seen)
    return Subset(
        photo=_side(store, "photo", photos, table),
        sketch=_side(store, "sketch", sketches, table),
        classes=names,
        seen=np.array([name in trained for name in names], dtype=bool),
    )


def training_subset(
    store: Store, classes: Iterable[str], photos: np.ndarray, sketches: np.ndarray
) -> Subset:
    """A subset to train on: every image once a class; classes without both modalities left out.

    Raises:
        MismatchError: fewer than two classes have photos and sketches.
    """
    items = store.items
    photos, sketches = once(store, photos), once(store, sketches)
    have = set(items.label[photos]) & set(items.label[sketches])
    usable = [name for name in classes if items.classes.index(name) in have]
    if len(usable) < 2:
        raise MismatchError(
            f"{len(usable)} training classes of {store.name} have photos and sketches, not two.",
            "Add data, or choose a split that leaves more classes seen.",
        )
    return class_subset(store, usable, photos, sketches, seen=usable)


def once(store: Store, entries: np.ndarray) -> np.ndarray:
    """The entries without those whose pixels an earlier one of the same class has."""
    items = store.items
    pairs = np.stack([items.label[entries], items.row[entries]], axis=1)
    first = np.unique(pairs, axis=0, return_index=True)[1]
    return entries[np.sort(first)]


def of_classes(store: Store, entries: np.ndarray, classes: Iterable[str]) -> np.ndarray:
    """The entries whose class is one of those named."""
    wanted = [store.items.classes.index(name) for name in classes]
    return entries[np.isin(store.items.label[entries], wanted)]


def unseen_and_seen(store: Store, split: ClassSplit) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The split's unseen classes and all others, as the store spells them, sorted.

    Raises:
        MismatchError: the split names classes the store does not have.
        UsageError: the list is not one of unseen classes.
    """
    if split.kind != "unseen":
        raise UsageError(
            f"{split.name} is a list of kind {split.kind}, not of unseen classes.",
            f"Name {split.header['of']}." if "of" in split.header else "",
        )
    unseen = set(match(split.unseen, store.items.classes, f"split {split.name}"))
    rest = tuple(name for name in store.items.classes if name not in unseen)
    return tuple(sorted(unseen)), rest


def require_split(split: ClassSplit | None, task: str) -> ClassSplit:
    """The split, which the task needs.

    Raises:
        UsageError: there is none.
    """
    if split is None:
        raise UsageError(f"The task {task} needs a split.", "See `sbirctl splits`.")
    return split


def refuse_target(target: Store | None, task: str) -> None:
    """Raise UsageError when a task of one data set is given two."""
    if target is not None:
        raise UsageError(
            f"The task {task} has one data set; {target.name} is a second.", "Use --task cd."
        )


def refuse_empty(subset: Subset, what: str) -> Subset:
    """The subset, unless it has no queries or no gallery (MismatchError)."""
    for side in (subset.sketch, subset.photo):
        if not len(side):
            raise MismatchError(
                f"There is no {side.modality} on the {what} side of {side.store.name}.",
                f"See what it holds in {side.store.folder / 'manifest.json'}.",
            )
    return subset


def provenance(
    task: str,
    options: TaskOptions,
    source: Store,
    split: ClassSplit | None,
    train: Subset,
    val: Subset | None,
    test: Subset,
    *,
    gallery: str,
    dropped: int,
    notes: Iterable[str] = (),
    seen: Iterable[str] | None = None,
    held: tuple[str, ...] | None = None,
) -> Provenance:
    """What every task records about its parts and where they come from.

    Args:
        gallery: the gallery's convention.
        dropped: test images left out of training.
        notes: sentences for people; one on the gallery is added.
        seen: classes that were to be trained on, or held out; None where that is no matter of
            classes.
        held: of them those held out for validation.
    """
    subsets = {"train": train, "val": val, "test": test}
    left_out = None
    if seen is not None:
        left_out = tuple(name for name in seen if name not in {*train.classes, *(held or ())})
    return Provenance(
        task=task,
        options=to_dict(options),
        dataset=dataset_of(source),
        store=source.name,
        store_digest=source.digest,
        split=split.name if split else None,
        split_digest=split.digest if split else None,
        unseen=tuple(c for c, seen in zip(test.classes, test.seen, strict=True) if not seen),
        val_classes=held,
        left_out=left_out,
        gallery=gallery,
        scope="all",
        leaks_dropped=dropped,
        counts={
            name: Counts(len(subset.classes), len(subset.sketch), len(subset.photo))
            for name, subset in subsets.items()
            if subset is not None
        },
        notes=(*notes, *_gallery_note(gallery, test), *not_trained_on(left_out or ())),
    )


def not_trained_on(names: Iterable[str]) -> tuple[str, ...]:
    """A sentence for people on classes that have no photo or no sketch to train on."""
    named = sorted(names)
    said = f"Not trained on, with no photo or no sketch left for it: {few(named, 3)}."
    return (said,) if named else ()


def _gallery_note(convention: str, subset: Subset) -> tuple[str, ...]:
    """A sentence for people where a choice of gallery was made."""
    said = {
        "extended": "the extended photos only; --set gallery=both counts the originals twice",
        "both": "extended and original photos, originals counted twice",
    }
    if convention not in said:
        return ()
    return (f"Gallery: {len(subset.photo):,} photos, {said[convention]}.",)


def _side(store: Store, modality: Modality, entries: np.ndarray, table: np.ndarray) -> ImageSubset:
    items = store.items
    labels = table[items.label[entries]]
    kept = entries[labels >= 0]
    instance = items.instance[kept].astype(np.int64)
    return ImageSubset(store, modality, kept, labels[labels >= 0], instance)
