"""Holding images, instances and classes out of training, whole groups of equal images at a time.

Orders come from content digests, so adding or renaming files changes little and no seed decides
which images are a test; validation subsets are salted with the seed.
"""

from __future__ import annotations

import hashlib

import numpy as np

from sbirctl.core.errors import MismatchError
from sbirctl.core.seeds import rng_for
from sbirctl.store.manifest import Items
from sbirctl.tasks import Holdout


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
