"""Fine-grained: find the very photo a sketch was drawn from. A class is a photo instance.

Which instances are tested: those of the unseen classes where a person names a class split; those
the data set's `splits/test-instances.txt` lists (the published test photos of ShoeV2 and ChairV2);
else a fifth of each class's instances, by digest order. Photos nobody drew are distractors in the
gallery. Sketchy's pairs are ranked within the category, single-category data sets in all photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.errors import MismatchError, few
from sbirctl.sampling.subsets import Partition, Subset
from sbirctl.splits.resolve import ClassSplit
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, Holdout, Task, TaskOptions
from sbirctl.tasks._apart import held_apart, share, with_both
from sbirctl.tasks._common import provenance, refuse_empty, refuse_target
from sbirctl.tasks._instances import LISTED_RULE, Instances, instance_subset


@dataclass(frozen=True)
class FineOptions(TaskOptions):
    """What may be chosen about `fg`."""

    scope: Literal["auto", "class", "all"] = setting(
        "auto",
        help="photos a sketch is ranked against: class (those of its class), all, "
        "or auto: class where there are several",
    )


class FineGrained(Task[FineOptions]):
    """Queries are all sketches of the test instances, the gallery their photos and distractors.

    Refused: an instance, or an image, common to training and test. Validation: 10 % of the
    training instances, ranked across classes (a class has too few of them to rank).
    """

    name = "fg"
    summary = "fine-grained: find the very photo a sketch was drawn from"
    split = "optional"
    target = False
    Options = FineOptions

    def build(
        self,
        source: Store,
        target: Store | None,
        split: ClassSplit | None,
        options: FineOptions,
        holdout: Holdout,
    ) -> Partition:
        """See `tasks.Task.build`."""
        refuse_target(target, self.name)
        instances = Instances(source)
        split = split or instances.listed
        tested, gallery, rule = instances.test(split)
        trainable = instances.drawn[~np.isin(instances.drawn, tested)]
        held = _val(instances, trainable, holdout)
        test = refuse_empty(instance_subset(source, instances, gallery), "test")
        train = instance_subset(source, instances, np.setdiff1d(trainable, held), trained=True)
        val = instance_subset(source, instances, held) if len(held) else None
        drawn = {*train.classes, *(val.classes if val else ())}
        train, val, dropped = held_apart(train, val, test, options)
        if val and dropped:
            val = refuse_empty(with_both(val), "validation")
        lost = sorted(drawn - {*train.classes, *(val.classes if val else ())})
        everything = split is not None and split.all_classes
        if len(train.classes) < 2 and not everything:
            raise MismatchError(
                f"{source.name} leaves {len(train.classes)} instances to train on; two are needed.",
                "Prepare it with --pairs, or with more pairs.",
            )
        scope = _scope(source, options)
        found = replace(
            provenance(
                self.name,
                options,
                source,
                split,
                train,
                val,
                test,
                gallery="instances",
                dropped=dropped,
                notes=_notes(test, rule, scope, lost),
            ),
            query_rule=rule,
            published_queries=rule == LISTED_RULE,
            scope=scope,
            distractors=len(test.photo) - len(np.unique(test.sketch.instance)),
        )
        return Partition(train, val, test, found)


def _val(instances: Instances, trainable: np.ndarray, holdout: Holdout) -> np.ndarray:
    """Training instances held out, whole components, in a salted order."""
    if not holdout.fraction:
        return trainable[:0]
    ordered = instances.order(trainable, holdout.seed, "val-instances")
    return instances.take(ordered, share(holdout.fraction, len(ordered)))


def _scope(store: Store, options: FineOptions) -> str:
    if options.scope != "auto":
        return options.scope
    return "class" if len(store.items.classes) > 1 else "all"


def _notes(test: Subset, rule: str, scope: str, lost: Sequence[str]) -> tuple[str, ...]:
    drawn = len(np.unique(test.sketch.instance))
    within = {"class": "the photos of its class", "all": "all of them"}
    said = (
        f"Test: {len(test.sketch):,} sketches of {drawn:,} instances ({rule}) among "
        f"{len(test.photo):,} photos, each sketch ranked against {within[scope]}.",
    )
    if not lost:
        return said
    return (
        *said,
        f"Not trained on, as their photo or all their sketches are test images: {few(lost, 3)}.",
    )


TASKS.register(FineGrained())
