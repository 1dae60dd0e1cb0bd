"""Generalised zero-shot: the gallery holds unseen and seen classes, as a real one does.

20 % of the seen classes join the test side; of each of them 20 % of the sketches and 20 % of the
photos, by digest order, are held out of training, and only those query or are searched.

With `added=sempcyc` images of all seen classes join: 20 % as many sketches and photos as the
unseen classes have, by digest order. sem-pcyc takes them from what it trains on; here they are held
out like all others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.files import digest_json
from sbirctl.sampling.subsets import Partition, Subset
from sbirctl.splits.generalised import added
from sbirctl.splits.resolve import ClassSplit
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, GalleryOptions, Holdout, Task
from sbirctl.tasks._common import (
    class_subset,
    gallery_note,
    gallery_photos,
    of_classes,
    provenance,
    refuse_empty,
    refuse_target,
    require_split,
    training_subset,
    unseen_and_seen,
)
from sbirctl.tasks._holdout import (
    digest_order,
    share,
    take_groups,
    val_classes,
    without_groups,
)
from sbirctl.tasks._leaks import drop, held_apart, refuse_classes

HELD_OUT = 0.2


@dataclass(frozen=True)
class GeneralisedOptions(GalleryOptions):
    """What may be chosen about `gzs`."""

    queries: Literal["all", "unseen"] = setting(
        "all", help="sketches that query: all test sketches, or those of unseen classes only"
    )
    added: Literal["drclip", "sempcyc"] = setting(
        "drclip",
        help="seen images in the test: drclip (20 % of the images of some classes) or sempcyc "
        "(of all classes, 20 % as many as the unseen classes have)",
    )


class Generalised(Task[GeneralisedOptions]):
    """Queries and gallery are the unseen classes and held-out images of some seen ones.

    Refused: an unseen class in training, or an image common to training and test. Validation:
    10 % of the seen classes, of those that do not join the test side.
    """

    name = "gzs"
    summary = "generalised zero-shot: the gallery holds unseen and seen classes"
    split = "default"
    target = False
    unit = "class"
    Options = GeneralisedOptions

    def build(
        self,
        source: Store,
        target: Store | None,
        split: ClassSplit | None,
        options: GeneralisedOptions,
        holdout: Holdout,
    ) -> Partition:
        """See `tasks.Task.build`."""
        refuse_target(target, self.name)
        split = require_split(split, self.name)
        unseen, seen = unseen_and_seen(source, split)
        photos, convention = gallery_photos(source, options.gallery)
        sketches = source.items.where("sketch")
        if options.added == "sempcyc":
            held_photos = _held_in_size(source, photos, unseen, seen)
            held_sketches = _held_in_size(source, sketches, unseen, seen)
            held = np.concatenate([held_photos, held_sketches])
            joined = tuple(source.items.classes[i] for i in np.unique(source.items.label[held]))
            origin = "sem-pcyc's rule"
        else:
            joined, origin = added(split, [source.folder / "splits"])
            held_photos = _held_out(source, photos, joined)
            held_sketches = _held_out(source, sketches, joined)
        test = refuse_empty(
            class_subset(
                source,
                (*unseen, *joined),
                np.concatenate([of_classes(source, photos, unseen), held_photos]),
                np.concatenate([of_classes(source, sketches, unseen), held_sketches]),
                seen=joined,
            ),
            "test",
        )
        # sem-pcyc's images may come from every seen class, those of the validation too.
        apart = seen if options.added == "sempcyc" else tuple(c for c in seen if c not in joined)
        val_names = val_classes(apart, holdout)
        photos = without_groups(source.items, photos, held_photos)
        sketches = without_groups(source.items, sketches, held_sketches)
        trained = [c for c in seen if c not in val_names]
        train = training_subset(source, trained, photos, sketches)
        refuse_classes(train.classes, unseen)
        val = class_subset(source, val_names, photos, sketches) if val_names else None
        train, val, dropped = held_apart(train, val, test, options)
        test = _queries(test, options)
        found = replace(
            provenance(self.name, options, source, split, train, val, test),
            gallery=convention,
            joined=joined,
            joined_from=origin,
            split_digest=digest_json(_identity(split, joined, options)),
            val_classes=val_names,
            left_out=tuple(c for c in seen if c not in {*train.classes, *val_names}),
            leaks_dropped=dropped,
            notes=(
                f"{len(joined)} seen classes join the test side ({origin}), "
                f"with {len(held_sketches):,} sketches and {len(held_photos):,} photos held out.",
                *gallery_note(convention, test),
            ),
        )
        return Partition(train, val, test, found)


def _held_out(store: Store, entries: np.ndarray, classes: Iterable[str]) -> np.ndarray:
    """A fifth of each class's entries, by digest order, whole groups of equal images."""
    groups = store.items.group
    parts = []
    for name in classes:
        ordered = digest_order(store.items, of_classes(store, entries, [name]))
        parts.append(take_groups(groups, ordered, share(HELD_OUT, len(ordered))))
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)


def _held_in_size(
    store: Store, entries: np.ndarray, unseen: Iterable[str], seen: Iterable[str]
) -> np.ndarray:
    """Entries of seen classes, a fifth as many as the unseen classes have, by digest order."""
    ordered = digest_order(store.items, of_classes(store, entries, seen))
    count = round(HELD_OUT * len(of_classes(store, entries, unseen)))
    return take_groups(store.items.group, ordered, min(count, share(0.5, len(ordered))))


def _identity(
    split: ClassSplit, joined: tuple[str, ...], options: GeneralisedOptions
) -> list[object]:
    """What decides the test side."""
    rule = [options.added] if options.added != "drclip" else []
    return [split.digest, list(joined), *rule]


def _queries(test: Subset, options: GeneralisedOptions) -> Subset:
    """The test subset with the sketches that query."""
    if options.queries == "all":
        return test
    every = np.ones(len(test.photo), dtype=bool)
    return drop(test, every, ~test.seen[test.sketch.label])


TASKS.register(Generalised())
