"""Keeping training, validation and test apart: what is held out, and what they have in common.

Images, instances and classes are held out in whole groups of equal images. Orders come from content
digests, so adding or renaming files changes little and no seed decides which images are a test;
validation subsets are salted with the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from sbirctl.core.errors import MismatchError, UsageError, few
from sbirctl.core.seeds import rng_for
from sbirctl.sampling.subsets import ImageSubset, Subset
from sbirctl.splits.spellings import key
from sbirctl.store.manifest import Items
from sbirctl.tasks import Holdout, TaskOptions

_SHOWN = 3


def digest_order(items: Items, entries: np.ndarray, *salt: int | str) -> np.ndarray:
    """The entries by digest, or by a salted hash of it; equal digests by position.

    Args:
        entries: (n,) int64, entries of `items`.
        salt: seed and purpose; without any the plain digest decides.
    """
    prefix = "".join(f"{subset}\x1f" for subset in salt)

    def place(entry: int) -> tuple[str, int]:
        digest = items.digest[entry]
        if prefix:
            digest = hashlib.blake2b((prefix + digest).encode(), digest_size=16).hexdigest()
        return digest, entry

    return np.array(sorted(map(int, entries), key=place), dtype=np.int64)


def take_groups(groups: np.ndarray, ordered: np.ndarray, count: int) -> np.ndarray:
    """The first `count` of `ordered` and everything else in `ordered` of their groups.

    Args:
        groups: group of every entry (`items.group`).
        ordered: (n,) int64 entries, best first.
        count: how many to take, before their groups are completed.

    Returns:
        (>= min(count, n),) int64, sorted.
    """
    wanted = np.unique(groups[ordered[:count]])
    return np.sort(ordered[np.isin(groups[ordered], wanted)])


def without_groups(items: Items, entries: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The entries without those that share a group with one held out."""
    return entries[~np.isin(items.group[entries], items.group[held])]


def share(fraction: float, count: int) -> int:
    """A share of `count` things: rounded, at least one, and never all of them."""
    return min(max(1, round(fraction * count)), count - 1) if count > 1 else 0


def val_classes(seen: tuple[str, ...], holdout: Holdout) -> tuple[str, ...]:
    """Seen classes held out for validation, sorted; drawn from the sorted names with the seed.

    At least two (ranking one class is no ranking), and at least two stay for training.

    Raises:
        MismatchError: there are too few seen classes.
    """
    if not holdout.fraction:
        return ()
    count = max(2, round(holdout.fraction * len(seen)))
    if len(seen) - count < 2:
        raise MismatchError(
            f"{len(seen)} seen classes are too few to hold {count} out for validation.",
            "Train without a validation subset: --set val=none.",
        )
    ordered = sorted(seen)
    chosen = rng_for(holdout.seed, "val-classes").permutation(len(ordered))[:count]
    return tuple(ordered[i] for i in sorted(chosen))


def refuse_classes(train: Iterable[str], test: Iterable[str]) -> None:
    """Raise when a concept is trained on and tested, however it is spelled.

    Raises:
        MismatchError: naming the first few classes and how many they are.
    """
    by_key = {key(name): name for name in train}
    common = [(by_key[key(name)], name) for name in test if key(name) in by_key]
    if common:
        names = [a if a == b else f"{a} = {b}" for a, b in common]
        raise MismatchError(
            f"{few(names, _SHOWN)} {'are' if len(names) > 1 else 'is'} both trained on and tested.",
            "Choose a split whose unseen classes are not among the training classes.",
        )


def without_shared(
    train: Subset, tests: Iterable[ImageSubset], options: TaskOptions, what: str
) -> tuple[Subset, int]:
    """The training subset without images that are test images, too; how many those were.

    Args:
        train: the training subset.
        tests: sides whose images must not be trained on.
        options: `leaks` says whether common images are an error.
        what: "test" or "query", for the message.

    Raises:
        MismatchError: there are some and `leaks` is "refuse".
        UsageError: `leaks` is "allow", for a task where nothing is.
    """
    if options.leaks == "allow":
        raise UsageError(
            "leaks=allow is for the task gzs with joined=trained.",
            "Leave common images out of training: --set leaks=drop.",
        )
    sides = list(tests)
    photo, sketch = _shared(train.photo, sides), _shared(train.sketch, sides)
    ids = [*train.photo.take(photo).ids, *train.sketch.take(sketch).ids]
    if not ids:
        return train, 0
    if options.leaks == "refuse":
        raise MismatchError(
            f"{len(ids)} training images have the same content as {what} images: "
            f"{few(ids, _SHOWN)}.",
            "Remove them and prepare again, or leave them out of training: --set leaks=drop.",
        )
    return drop(train, ~photo, ~sketch), len(ids)


def held_apart(
    train: Subset, val: Subset | None, test: Subset, options: TaskOptions
) -> tuple[Subset, Subset | None, int]:
    """Training and validation subset without test images, and training without validation images.

    A test image must not choose the epoch either, so the validation subset keeps the same rule.
    A class that loses its last photo or sketch by it is not trained on at all.

    Returns:
        Training subset, validation subset, and how many test images they had.

    Raises:
        MismatchError: there are some and `leaks` is "refuse", or one class is left to train on.
    """
    sides = (test.photo, test.sketch)
    apart, dropped = without_shared(train, sides, options, "test")
    if val is not None:
        val, more = without_shared(val, sides, options, "test")
        apart, dropped = without_val(apart, val), dropped + more
    return with_both_of(train, apart), val, dropped


def with_both_of(before: Subset, after: Subset) -> Subset:
    """`with_both` of a training subset that images were taken from; itself where none were.

    Raises:
        MismatchError: fewer than two classes are left of two or more.
    """
    if (len(after.photo), len(after.sketch)) == (len(before.photo), len(before.sketch)):
        return after
    left = with_both(after)
    if len(left.classes) < 2 <= len(before.classes):
        raise MismatchError(
            f"Without images of the test and validation {len(left.classes)} of "
            f"{len(before.classes)} classes has photos and sketches to train on; two are needed.",
            "Remove what repeats and prepare again, or choose another split.",
        )
    return left


def without_val(train: Subset, val: Subset) -> Subset:
    """The training subset without images that are validation images, too."""
    sides = (val.photo, val.sketch)
    return drop(train, ~_shared(train.photo, sides), ~_shared(train.sketch, sides))


def shared_images(subset: Subset, other: Subset) -> int:
    """How many sketches and photos of `subset` are images of `other`, too."""
    return int(sum(mask.sum() for mask in images_in_common(subset, other)))


def images_in_common(subset: Subset, other: Subset) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the subset's photos and sketches that are images of `other`, too, by content."""
    sides = (other.photo, other.sketch)
    return _shared(subset.photo, sides), _shared(subset.sketch, sides)


def drop(subset: Subset, photo: np.ndarray, sketch: np.ndarray) -> Subset:
    """The subset with only the photos and sketches the masks keep; classes stay."""
    return Subset(subset.photo.take(photo), subset.sketch.take(sketch), subset.classes, subset.seen)


def with_both(subset: Subset) -> Subset:
    """The subset with only the classes that have photos and sketches, numbered anew."""
    every = np.arange(len(subset.classes))
    have = [np.isin(every, side.label) for side in (subset.photo, subset.sketch)]
    stay = have[0] & have[1]
    number = np.cumsum(stay) - 1

    def side(given: ImageSubset) -> ImageSubset:
        kept = given.take(stay[given.label])
        return replace(kept, label=number[kept.label])

    names = tuple(name for name, stays in zip(subset.classes, stay, strict=True) if stays)
    return Subset(side(subset.photo), side(subset.sketch), names, subset.seen[stay])


def _shared(side: ImageSubset, others: Iterable[ImageSubset]) -> np.ndarray:
    """(len(side),) bool: whose image one of the other sides has."""
    mask = np.zeros(len(side), dtype=bool)
    items = side.store.items
    for other in others:
        theirs = other.store.items
        if items is theirs:
            mask |= np.isin(items.group[side.item], items.group[other.item])
        else:
            digests = {theirs.digest[i] for i in other.item}
            mask |= np.fromiter((items.digest[i] in digests for i in side.item), bool, len(side))
    return mask
