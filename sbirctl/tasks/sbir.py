"""Supervised: every class is trained on; held-out sketches retrieve among all photos.

The protocol of Semi3-Net and of the hashing papers before it: 50 query sketches a class on
Sketchy, 10 on TU-Berlin. Gallery photos may be trained on, and the result records it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.files import display_path
from sbirctl.sampling.subsets import Partition
from sbirctl.splits.lists import read_table
from sbirctl.splits.resolve import ClassSplit
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, GalleryOptions, Holdout, Task
from sbirctl.tasks._apart import (
    digest_order,
    share,
    take_groups,
    with_both_of,
    without_groups,
    without_shared,
)
from sbirctl.tasks._common import (
    class_subset,
    dataset_of,
    gallery_photos,
    not_trained_on,
    of_classes,
    provenance,
    refuse_empty,
    refuse_target,
    training_subset,
)

# Query sketches a class; a fifth of the class where that would be more than a fifth and the
# class is small. Semi3-Net gives both numbers; TU-Berlin has 80 sketches a class.
PUBLISHED = {"sketchy": (50, 100), "tuberlin": (10, 50)}


@dataclass(frozen=True)
class SupervisedOptions(GalleryOptions):
    """What may be chosen about `sbir`."""

    query_sketches: int = setting(
        0, help="query sketches a class; 0 for the published number, or a fifth of a small class"
    )


class Supervised(Task[SupervisedOptions]):
    """Queries are some sketches of every class, the gallery all photos.

    Refused: a query's image in training. Validation: 10 % of the training sketches.
    """

    name = "sbir"
    summary = "supervised: held-out sketches retrieve photos of classes trained on"
    split = "none"
    target = False
    Options = SupervisedOptions

    def build(
        self,
        source: Store,
        target: Store | None,
        split: ClassSplit | None,
        options: SupervisedOptions,
        holdout: Holdout,
    ) -> Partition:
        """See `tasks.Task.build`."""
        refuse_target(target, self.name)
        if split is not None:
            raise UsageError(f"The task {self.name} trains on all classes.", "Leave out --split.")
        classes = source.items.classes
        photos, convention = gallery_photos(source, options.gallery)
        sketches = source.items.where("sketch")
        queries, listed = _queries(source, sketches, options)
        rest = without_groups(source.items, sketches, queries)
        held = _val_sketches(source, rest, holdout)
        test = refuse_empty(class_subset(source, classes, photos, queries, seen=classes), "test")
        train = training_subset(source, classes, photos, without_groups(source.items, rest, held))
        drawn = train
        train, dropped = without_shared(train, [test.sketch], options, "query")
        train = with_both_of(drawn, train)
        val = class_subset(source, classes, photos, held, seen=classes) if len(held) else None
        found = replace(
            provenance(
                self.name,
                options,
                source,
                None,
                train,
                val,
                test,
                gallery=convention,
                dropped=dropped,
                notes=[
                    "The gallery's photos are trained on, as this protocol has it.",
                    *not_trained_on(set(drawn.classes) - {*train.classes}),
                ],
                held=(),
            ),
            gallery_trained_on=True,
            query_rule=_rule(options, listed, len(classes)),
            published_queries=not options.query_sketches,
        )
        return Partition(train, val, test, found)


def _rule(options: SupervisedOptions, listed: int, classes: int) -> str:
    number = options.query_sketches or "the published number"
    return f"{number} a class, published for {listed} of {classes} classes, else digest order"


def queries_of(dataset: str, sketches: int, options: SupervisedOptions) -> int:
    """How many of a class's sketches query.

    Args:
        dataset: name of the data set.
        sketches: how many sketches the class has.

    Raises:
        MismatchError: `query_sketches` asks for all of them or more.
    """
    if options.query_sketches:
        if options.query_sketches >= sketches:
            raise MismatchError(
                f"query_sketches={options.query_sketches}, but a class has {sketches} sketches.",
                "Choose fewer; 0 takes the published number, or a fifth of a small class.",
            )
        return options.query_sketches
    count, needed = PUBLISHED.get(dataset, PUBLISHED["sketchy"])
    return count if sketches >= needed else share(0.2, sketches)


def _queries(
    store: Store, sketches: np.ndarray, options: SupervisedOptions
) -> tuple[np.ndarray, int]:
    """The query sketches of every class, whole groups of equal images, and how many are listed.

    They are the published ones where a class has such a list and the store all of it, else the
    first by digest order.
    """
    chosen = []
    listed = 0
    dataset = dataset_of(store)
    published = {} if options.query_sketches else published_queries(dataset)
    for name in store.items.classes:
        ordered = digest_order(store.items, of_classes(store, sketches, [name]))
        if not len(ordered):
            continue
        count = queries_of(dataset, len(ordered), options)
        names = published.get(name, frozenset())
        if len(names) == count:
            first = _published_first(store, ordered, names)
            listed += first is not ordered
            ordered = first
        chosen.append(take_groups(store.items.group, ordered, count))
    return (np.sort(np.concatenate(chosen)) if chosen else sketches[:0]), listed


def _val_sketches(store: Store, sketches: np.ndarray, holdout: Holdout) -> np.ndarray:
    if not holdout.fraction:
        return sketches[:0]
    ordered = digest_order(store.items, sketches, holdout.seed, "val-sketches")
    return take_groups(store.items.group, ordered, share(holdout.fraction, len(ordered)))


@cache
def published_queries(dataset: str) -> dict[str, frozenset[str]]:
    """{class: names of its query sketches, without ending}; {} where nothing is published."""
    try:
        rows = read_table(dataset, "queries.tsv")
    except MissingError:
        return {}
    return {row["class"]: frozenset(row["sketches"].split()) for row in rows}


def _published_first(store: Store, entries: np.ndarray, names: frozenset[str]) -> np.ndarray:
    """The entries with those of the published names first, or all of them as they are.

    Args:
        store: whose entries they are.
        entries: (n,) int64, sketches of one class in their order.
        names: the class's published queries. All of them must be there: a part of a data set has
            queries of its own.

    Returns:
        (n,) int64, and unchanged where a published query is missing.
    """
    named = np.array([_stem(store.items.path[entry]) in names for entry in entries], dtype=bool)
    if not names or named.sum() != len(names):
        return entries
    return np.concatenate([entries[named], entries[~named]])


def _stem(path: bytes) -> str:
    return os.path.splitext(display_path(path.rpartition(b"/")[2]))[0]


TASKS.register(Supervised())
