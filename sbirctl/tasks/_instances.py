"""Photo instances of a store: which are drawn, which belong together, which are tested."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.sampling.subsets import ImageSubset, Subset
from sbirctl.splits.resolve import ClassSplit, find
from sbirctl.store.manifest import Items, Modality
from sbirctl.store.reader import Store
from sbirctl.tasks._apart import digest_order, share, take_groups
from sbirctl.tasks._common import dataset_of, unseen_and_seen

LISTED = "test-instances"
HELD_OUT = 0.2
LISTED_RULE = "listed"


class Instances:
    """The instances that have a photo; one photo stands for each.

    Attributes:
        photo: (number of instances,) int64, entry of the instance's photo, -1 without.
        sketches: int64, entries of the sketches whose instance has a photo.
        drawn: int64, sorted, instances with a photo and a sketch.
        undrawn: int64, sorted, instances with a photo and no sketch: distractors.

    Raises:
        MismatchError: the store has no pairs.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        items = store.items
        photos = items.where("photo")
        photos = photos[items.instance[photos] >= 0]
        # Originals before copies of them: Sketchy's extended folder repeats every photo.
        photos = photos[np.argsort(items.copy_of[photos] >= 0, kind="stable")]
        self.photo = np.full(len(items.instances), -1, dtype=np.int64)
        self.photo[items.instance[photos][::-1]] = photos[::-1]
        sketches = items.where("sketch")
        sketches = sketches[items.instance[sketches] >= 0]
        self.sketches = sketches[self.photo[items.instance[sketches]] >= 0]
        self.drawn = np.unique(items.instance[self.sketches]).astype(np.int64)
        self.undrawn = np.setdiff1d(np.flatnonzero(self.photo >= 0), self.drawn)
        if not len(self.drawn):
            raise MismatchError(
                f"{store.name} does not say which sketch was drawn from which photo.",
                "Prepare it with --pairs stem where sketches are named after their photos.",
            )

    @cached_property
    def component(self) -> np.ndarray:
        """(number of instances,) int64: instances that share an image."""
        return components(self.store.items)

    def order(self, instances: np.ndarray, *salt: int | str) -> np.ndarray:
        """The instances by their photos' digests, see `digest_order`."""
        ordered = digest_order(self.store.items, self.photo[instances], *salt)
        instances = self.store.items.instance[ordered].astype(np.int64)
        return np.asarray(instances)

    def take(self, ordered: np.ndarray, count: int) -> np.ndarray:
        """The first `count` with all of `ordered` that share an image with them, sorted."""
        return take_groups(self.component, ordered, count)

    def test(self, split: ClassSplit | None) -> tuple[np.ndarray, np.ndarray, str]:
        """The test instances.

        Args:
            split: unseen classes whose instances are tested, a list of test instances, or None.

        Returns:
            Tested instances (drawn ones), instances in the gallery, and the rule in words.

        Raises:
            MismatchError: a list names instances the store does not have.
        """
        if split is not None and split.kind == "instances":
            return (*self._within(self._of_list(split)), LISTED_RULE)
        if split is not None:
            unseen = unseen_and_seen(self.store, split)[0]
            labels = [self.store.items.classes.index(name) for name in unseen]
            rule = f"classes unseen in {split.name}"
            return (*self._within(np.isin(self.label, labels)), rule)
        tested = self._draw()
        near = np.isin(self.component, self.component[np.setdiff1d(self.drawn, tested)])
        gallery = np.union1d(tested, self.undrawn[~near[self.undrawn]])
        return tested, gallery, "20 % of each class, by digest order"

    @cached_property
    def label(self) -> np.ndarray:
        """(number of instances,) int64: class of the instance's photo, -1 without one."""
        return np.where(self.photo >= 0, self.store.items.label[self.photo], -1)

    def _within(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.drawn[mask[self.drawn]], np.flatnonzero(mask & (self.photo >= 0))

    @cached_property
    def listed(self) -> ClassSplit | None:
        """The data set's own list of test instances."""
        folder = self.store.folder / "splits"
        try:
            return find(dataset_of(self.store), LISTED, folders=[folder])
        except UsageError:
            return None

    def _of_list(self, listed: ClassSplit) -> np.ndarray:
        """(number of instances,) bool: which instances a list names."""
        names = self.store.items.instances
        unknown = sorted(set(listed.unseen) - set(names))
        if unknown:
            raise MismatchError(
                f"{len(unknown)} instances of {listed.name} are not in {self.store.name}: "
                f"{', '.join(unknown[:3])}.",
                f"Correct {listed.path}.",
            )
        wanted = set(listed.unseen)
        return np.array([name in wanted for name in names], dtype=bool)

    def _draw(self) -> np.ndarray:
        """A fifth of each class's drawn instances with all that share images with them."""
        labels = self.label[self.drawn]
        chosen = [self.drawn[:0]]
        for label in np.unique(labels):
            ordered = self.order(self.drawn[labels == label])
            chosen.append(ordered[: share(HELD_OUT, len(ordered))])
        picked = self.component[np.concatenate(chosen)]
        return self.drawn[np.isin(self.component[self.drawn], picked)]


def instance_subset(
    store: Store, instances: Instances, chosen: np.ndarray, *, trained: bool = False
) -> Subset:
    """A subset whose labels are instances: their photos, and all sketches drawn from them.

    Args:
        chosen: (k,) int64 instances, sorted.
        trained: whether the subset is trained on.
    """
    items = store.items
    table = np.full(len(items.instances), -1, dtype=np.int64)
    table[chosen] = np.arange(len(chosen))
    sketches = instances.sketches[table[items.instance[instances.sketches]] >= 0]

    def side(modality: Modality, entries: np.ndarray) -> ImageSubset:
        instance = items.instance[entries].astype(np.int64)
        return ImageSubset(store, modality, entries, table[instance], instance)

    return Subset(
        photo=side("photo", instances.photo[chosen]),
        sketch=side("sketch", sketches),
        classes=tuple(items.instances[i] for i in chosen),
        seen=np.full(len(chosen), trained, dtype=bool),
    )


def components(items: Items) -> np.ndarray:
    """(number of instances,) int64: instances that share an image share a number."""
    own = np.flatnonzero(items.instance >= 0)
    instance, group = items.instance[own], items.group[own]
    subset = np.arange(len(items.instances), dtype=np.int64)
    while True:
        lowest = np.full(len(items), len(subset), dtype=np.int64)  # there are at most n groups
        np.minimum.at(lowest, group, subset[instance])
        joined = subset.copy()
        np.minimum.at(joined, instance, lowest[group])
        if np.array_equal(joined, subset):
            return subset
        subset = joined
