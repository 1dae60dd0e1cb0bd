"""Generalised zero-shot: the gallery holds the unseen classes and images of seen ones.

A fifth of the seen classes joins the test side. Which of their images are searched, and whether
they are trained on, no paper says; there are three named readings (`joined`):

- held-out: a fifth of their images, held out of training. A class then has few photos (Sketchy:
  121), which caps P@200 of its queries at 0.605.
- trained: all their images, which stay in training. A leak, only with `leaks=allow`.
- removed: all their images, which leave training. The classes are then unseen ones.

With `added=sempcyc` images of all seen classes join: 20 % as many sketches and photos as the
unseen classes have, by digest order. sem-pcyc takes them from what it trains on, which is
`joined=trained`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.errors import UsageError
from sbirctl.core.files import digest_json
from sbirctl.sampling.subsets import Partition, Subset
from sbirctl.splits.generalised import added
from sbirctl.splits.resolve import ClassSplit
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, GalleryOptions, Holdout, Task
from sbirctl.tasks._apart import (
    digest_order,
    drop,
    held_apart,
    refuse_classes,
    share,
    shared_images,
    take_groups,
    val_classes,
    without_groups,
)
from sbirctl.tasks._common import (
    class_subset,
    gallery_photos,
    of_classes,
    provenance,
    refuse_empty,
    refuse_target,
    require_split,
    training_subset,
    unseen_and_seen,
)

HELD_OUT = 0.2


@dataclass(frozen=True)
class GeneralisedOptions(GalleryOptions):
    """What may be chosen about `gzs`."""

    queries: Literal["all", "unseen"] = setting(
        "all", help="sketches that query: all test sketches, or those of unseen classes only"
    )
    added: Literal["drclip", "sempcyc"] = setting(
        "drclip",
        help="seen images in the test: drclip (of 20 % of the classes) or sempcyc "
        "(of all classes, 20 % as many as the unseen classes have)",
    )
    joined: Literal["held-out", "trained", "removed"] = setting(
        "held-out",
        help="the images that join: a fifth, held out of training; all, trained on (a leak, needs "
        "leaks=allow); or all, with their classes removed from training",
    )


@dataclass(frozen=True)
class _Joining:
    """What joins the unseen classes on the test side.

    Attributes:
        classes: names, sorted. origin: whose list or rule they are.
        photos, sketches: (n,) int64 entries of the store.
    """

    classes: tuple[str, ...]
    origin: str
    photos: np.ndarray
    sketches: np.ndarray


class Generalised(Task[GeneralisedOptions]):
    """Queries and gallery are the unseen classes and images of some seen ones.

    Refused: an unseen class in training, or an image common to training and test (allowed by name
    with joined=trained). Validation: 10 % of the seen classes, of those that do not join the test
    side.
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
        joining = _joining(source, photos, sketches, split, options)
        test = refuse_empty(
            class_subset(
                source,
                (*unseen, *joining.classes),
                np.concatenate([of_classes(source, photos, unseen), joining.photos]),
                np.concatenate([of_classes(source, sketches, unseen), joining.sketches]),
                seen=() if options.joined == "removed" else joining.classes,
            ),
            "test",
        )
        joins = set(joining.classes)
        others = tuple(c for c in seen if c not in joins)
        # sem-pcyc's images may come from every seen class, those of the validation too.
        val_names = val_classes(seen if options.added == "sempcyc" else others, holdout)
        pool = others if options.joined == "removed" else seen
        rest_photos = without_groups(source.items, photos, joining.photos)
        rest_sketches = without_groups(source.items, sketches, joining.sketches)
        kept = (photos, sketches) if options.joined == "trained" else (rest_photos, rest_sketches)
        train = training_subset(source, [c for c in pool if c not in val_names], *kept)
        refuse_classes(train.classes, unseen)
        val = class_subset(source, val_names, rest_photos, rest_sketches) if val_names else None
        train, val, dropped, allowed = _apart(train, val, test, options)
        known = {*train.classes, *val_names}
        test = replace(test, seen=test.seen & [name in known for name in test.classes])
        test = _queries(test, options)
        found = replace(
            provenance(
                self.name,
                options,
                source,
                split,
                train,
                val,
                test,
                gallery=convention,
                dropped=dropped,
                notes=[_joining_note(joining, options)],
                seen=pool,
                held=val_names,
            ),
            joined=joining.classes,
            joined_from=joining.origin,
            split_digest=digest_json(_identity(split, joining.classes, options)),
            leaks_allowed=allowed,
        )
        return Partition(train, val, test, found)


def _joining(
    store: Store,
    photos: np.ndarray,
    sketches: np.ndarray,
    split: ClassSplit,
    options: GeneralisedOptions,
) -> _Joining:
    """The seen classes that join and their images.

    Raises:
        UsageError: a reading that does not go with the rule, or a leak that nobody allowed.
    """
    if (options.joined == "trained") != (options.leaks == "allow"):
        raise UsageError(
            f"joined={options.joined} and leaks={options.leaks} do not go together.",
            "joined=trained tests images that are trained on; it needs leaks=allow, and only it "
            "takes that.",
        )
    unseen, seen = unseen_and_seen(store, split)
    if options.added == "sempcyc":
        if options.joined == "removed":
            raise UsageError(
                "added=sempcyc takes images of every seen class; none would be left to train on.",
                "Leave out joined=removed.",
            )
        chosen = [_in_size(store, side, unseen, seen) for side in (photos, sketches)]
        labels = np.unique(store.items.label[np.concatenate(chosen)])
        joined = tuple(store.items.classes[i] for i in labels)
        return _Joining(joined, "sem-pcyc's rule", *chosen)
    joined, origin = added(split, [store.folder / "splits"])
    if options.joined == "held-out":
        return _Joining(
            joined, origin, _held_out(store, photos, joined), _held_out(store, sketches, joined)
        )
    return _Joining(
        joined, origin, of_classes(store, photos, joined), of_classes(store, sketches, joined)
    )


def _joining_note(joining: _Joining, options: GeneralisedOptions) -> str:
    """What joins and what that means, for people."""
    counts = f"{len(joining.sketches):,} sketches and {len(joining.photos):,} photos"
    told = {
        "held-out": f"with {counts} held out",
        "trained": f"with {counts}, which are trained on: not zero-shot",
        "removed": f"with all their {counts}, and leave training: unseen classes, not generalised",
    }
    classes = len(joining.classes)
    return f"{classes} seen classes join the test side ({joining.origin}), {told[options.joined]}."


def _apart(
    train: Subset, val: Subset | None, test: Subset, options: GeneralisedOptions
) -> tuple[Subset, Subset | None, int, int]:
    """As `held_apart`, and how many test images are trained on because that was allowed.

    What is allowed are the images that join; those of unseen classes are refused as always.
    """
    if options.joined != "trained":
        return *held_apart(train, val, test, options), 0
    new = ~test.seen
    unseen = drop(test, new[test.photo.label], new[test.sketch.label])
    train, val, _ = held_apart(train, val, unseen, replace(options, leaks="refuse"))
    return train, val, 0, shared_images(test, train)


def _held_out(store: Store, entries: np.ndarray, classes: Iterable[str]) -> np.ndarray:
    """A fifth of each class's entries, by digest order, whole groups of equal images."""
    groups = store.items.group
    parts = []
    for name in classes:
        ordered = digest_order(store.items, of_classes(store, entries, [name]))
        parts.append(take_groups(groups, ordered, share(HELD_OUT, len(ordered))))
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)


def _in_size(
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
    reading = [options.joined] if options.joined != "held-out" else []
    return [split.digest, list(joined), *rule, *reading]


def _queries(test: Subset, options: GeneralisedOptions) -> Subset:
    """The test subset with the sketches that query."""
    if options.queries == "all":
        return test
    every = np.ones(len(test.photo), dtype=bool)
    return drop(test, every, ~test.seen[test.sketch.label])


TASKS.register(Generalised())
