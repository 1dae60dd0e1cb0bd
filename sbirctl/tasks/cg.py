"""Zero-shot, coarse-grained: train on seen classes, retrieve photos of unseen classes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.errors import MismatchError
from sbirctl.core.files import digest_json
from sbirctl.sampling.subsets import Partition
from sbirctl.splits.resolve import ClassSplit
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, GalleryOptions, Holdout, Task
from sbirctl.tasks._apart import held_apart, refuse_classes, val_classes
from sbirctl.tasks._common import (
    class_subset,
    gallery_photos,
    provenance,
    refuse_empty,
    refuse_target,
    require_split,
    training_subset,
    unseen_and_seen,
)


@dataclass(frozen=True)
class CoarseOptions(GalleryOptions):
    """What may be chosen about `cg`."""

    min_photos: int = setting(
        0, help="leave out test classes with fewer photos than this (FFMLN's code: 400)"
    )


class CoarseGrained(Task[CoarseOptions]):
    """Queries are all sketches, the gallery all photos of the unseen classes.

    Refused: a class, or an image, common to training and test. Validation: 10 % of the seen
    classes.
    """

    name = "cg"
    summary = "zero-shot: retrieve photos of classes not trained on"
    split = "default"
    target = False
    unit = "class"
    Options = CoarseOptions

    def build(
        self,
        source: Store,
        target: Store | None,
        split: ClassSplit | None,
        options: CoarseOptions,
        holdout: Holdout,
    ) -> Partition:
        """See `tasks.Task.build`."""
        refuse_target(target, self.name)
        split = require_split(split, self.name)
        unseen, seen = unseen_and_seen(source, split)
        photos, convention = gallery_photos(source, options.gallery)
        sketches = source.items.where("sketch")
        unseen, few = _with_photos(source, photos, unseen, options)
        held = val_classes(seen, holdout) if seen else ()
        kept = [c for c in seen if c not in held]
        if seen:
            train = training_subset(source, kept, photos, sketches)
        else:  # every class is tested: for a model that is only measured
            train = class_subset(source, (), photos[:0], sketches[:0])
        refuse_classes(train.classes, unseen)
        test = refuse_empty(class_subset(source, unseen, photos, sketches), "test")
        val = class_subset(source, held, photos, sketches) if held else None
        train, val, dropped = held_apart(train, val, test, options)
        found = provenance(
            self.name,
            options,
            source,
            split,
            train,
            val,
            test,
            gallery=convention,
            dropped=dropped,
            notes=_dropped_note(few, options),
            seen=seen,
            held=held,
        )
        digest = digest_json([split.digest, list(unseen)]) if few else split.digest
        found = replace(found, untested=few, split_digest=digest)
        return Partition(train, val, test, found)


def _with_photos(
    store: Store, photos: np.ndarray, unseen: tuple[str, ...], options: CoarseOptions
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Unseen classes that have enough photos to be tested, and those dropped.

    FFMLN's code leaves out TU-Berlin's test classes of fewer than 400 photos (of sempcyc30: seven).
    A dropped class is neither tested nor trained on.
    """
    label = store.items.label[photos]
    few = tuple(
        name
        for name in unseen
        if np.count_nonzero(label == store.items.classes.index(name)) < options.min_photos
    )
    if unseen and len(few) == len(unseen):
        raise MismatchError(
            f"None of the {len(unseen)} unseen classes has {options.min_photos} photos.",
            "Lower min_photos.",
        )
    return tuple(name for name in unseen if name not in few), few


def _dropped_note(few: tuple[str, ...], options: CoarseOptions) -> tuple[str, ...]:
    if not few:
        return ()
    named = ", ".join(few)
    return (f"Not tested, fewer than {options.min_photos} photos ({len(few)}): {named}.",)


TASKS.register(CoarseGrained())
