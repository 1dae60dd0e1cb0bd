"""Cross-data-set: train on one data set, retrieve in another, no class in common.

Two named protocols say which splits hold. `zse` (ZSE-SBIR: S→T 21, S→Q 11, T→S 8, T→Q 10) and
`drclip` (Dr. CLIP, Table 1, which gives only some counts). Test classes are the target's unseen
classes without the classes seen in the source; where a list is published for a pair, it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sbirctl.core.config import setting
from sbirctl.core.errors import UsageError
from sbirctl.core.files import digest_json
from sbirctl.sampling.subsets import Partition
from sbirctl.splits.resolve import ClassSplit, find, published
from sbirctl.splits.spellings import key
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, GalleryOptions, Holdout, Task
from sbirctl.tasks._apart import held_apart, refuse_classes, val_classes
from sbirctl.tasks._common import (
    class_subset,
    dataset_of,
    gallery_photos,
    provenance,
    refuse_empty,
    split_for,
    training_subset,
    unseen_and_seen,
)

SPLITS = {
    "zse": {"sketchy": "random25", "tuberlin": "sake30", "quickdraw": "zse30"},
    "drclip": {"sketchy": "imagenet21", "tuberlin": "sempcyc30", "quickdraw": "zse30"},
}


@dataclass(frozen=True)
class CrossOptions(GalleryOptions):
    """What may be chosen about `cd`."""

    protocol: Literal["zse", "drclip"] = setting(
        "zse", help="whose splits and class lists: zse (ZSE-SBIR) or drclip (Dr. CLIP)"
    )
    source_split: str = setting(
        "", help="class list of the training data set, instead of the protocol's"
    )


class CrossDataset(Task[CrossOptions]):
    """Queries and gallery are classes of the target that are not seen in the source.

    Refused: a class, or an image, common to training and test. Validation: 10 % of the source's
    seen classes.
    """

    name = "cd"
    summary = "cross-data-set: train on one data set, retrieve in another"
    split = "optional"
    target = True
    unit = "class"
    Options = CrossOptions

    def build(
        self,
        source: Store,
        target: Store | None,
        split: ClassSplit | None,
        options: CrossOptions,
        holdout: Holdout,
    ) -> Partition:
        """See `tasks.Task.build`; a `split` given is the target's list of test classes."""
        if target is None:
            raise UsageError("The task cd needs a second data set.", "Name it with --target NAME.")
        if target.digest == source.digest:
            raise UsageError("Source and target are one data set.", "Use --task cg.")
        source_split = _split_of(source, options, options.source_split)
        seen = unseen_and_seen(source, source_split)[1] if source_split else source.items.classes
        split = split or _list_of(source, target, seen, options)
        tested = unseen_and_seen(target, split)[0]
        refuse_classes(seen, tested)

        held = val_classes(seen, holdout)
        photos = gallery_photos(source, options.gallery)[0]
        sketches = source.items.where("sketch")
        train = training_subset(source, [c for c in seen if c not in held], photos, sketches)
        val = class_subset(source, held, photos, sketches) if held else None
        gallery, convention = gallery_photos(target, options.gallery)
        queries = target.items.where("sketch")
        test = refuse_empty(class_subset(target, tested, gallery, queries), "test")
        train, val, dropped = held_apart(train, val, test, options)
        status = split.header.get("status", "given")
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
                notes=[
                    f"Trains on {len(seen)} classes of {source.name}, tests {len(tested)} of "
                    f"{target.name}: list {split.name} ({status})."
                ],
                seen=seen,
                held=held,
            ),
            target=dataset_of(target),
            target_store_digest=target.digest,
            protocol=options.protocol,
            source_split=source_split.name if source_split else "all classes",
            class_list=status,
            split_digest=digest_json([split.digest, list(seen)]),
        )
        return Partition(train, val, test, found)


def _split_of(store: Store, options: CrossOptions, name: str = "") -> ClassSplit | None:
    """The data set's split under the protocol, its default, or None where it has none."""
    name = name or SPLITS[options.protocol].get(dataset_of(store), "")
    if name:
        return split_for(store, name)
    try:
        return split_for(store)
    except UsageError:
        return None


def _list_of(
    source: Store, target: Store, seen: tuple[str, ...], options: CrossOptions
) -> ClassSplit:
    """The test classes of a pair: as published, else by the rule."""
    dataset = dataset_of(target)
    for listed in published(dataset):
        origin = listed.header.get("source-split", "").partition("/")[0]
        if listed.header.get("cross") == options.protocol and origin == dataset_of(source):
            return find(dataset, listed.name, classes=target.items.classes)
    own = _split_of(target, options)
    unseen = unseen_and_seen(target, own)[0] if own else target.items.classes
    trained = {key(name) for name in seen}
    return ClassSplit(
        name=f"{dataset}/cross-{dataset_of(source)}",
        dataset=dataset,
        unseen=tuple(name for name in unseen if key(name) not in trained),
        classes=target.items.classes,
        header={"status": "by rule"},
    )


TASKS.register(CrossDataset())
