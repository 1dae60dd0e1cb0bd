"""What training and test must not have in common."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.sampling.subsets import ImageSubset, Subset
from sbirctl.splits.spellings import key
from sbirctl.tasks import TaskOptions

_SHOWN = 3


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
            f"{_some(names)} {'are' if len(names) > 1 else 'is'} both trained on and tested.",
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
            f"{len(ids)} training images have the same content as {what} images: {_some(ids)}.",
            "Remove them and prepare again, or leave them out of training: --set leaks=drop.",
        )
    return drop(train, ~photo, ~sketch), len(ids)


def held_apart(
    train: Subset, val: Subset | None, test: Subset, options: TaskOptions
) -> tuple[Subset, Subset | None, int]:
    """Training and validation subset without test images, and training without validation images.

    A test image must not choose the epoch either, so the validation subset keeps the same rule.

    Returns:
        Training subset, validation subset, and how many test images they had.

    Raises:
        MismatchError: there are some and `leaks` is "refuse".
    """
    sides = (test.photo, test.sketch)
    train, dropped = without_shared(train, sides, options, "test")
    if val is None:
        return train, None, dropped
    val, more = without_shared(val, sides, options, "test")
    return without_val(train, val), val, dropped + more


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


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
