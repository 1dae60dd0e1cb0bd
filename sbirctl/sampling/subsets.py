"""What a task hands to training and evaluation: labelled sketches and photos of a store."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from sbirctl.retrieval.provenance import Provenance
from sbirctl.store.manifest import Modality
from sbirctl.store.reader import Store


class LabelledSide(Sized, Protocol):
    """The images of one modality as batches are drawn of them; an `ImageSubset` is one.

    Attributes:
        label: (n,) int64 classes.
        category: (n,) int64 groups of classes, for plans that draw other classes within one.
    """

    @property
    def label(self) -> np.ndarray: ...

    @property
    def category(self) -> np.ndarray: ...


class Labelled(Protocol):
    """Photos and sketches with labels of the same classes; a `Subset` is one."""

    @property
    def photo(self) -> LabelledSide: ...

    @property
    def sketch(self) -> LabelledSide: ...

    @property
    def classes(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class ImageSubset:
    """Images of one modality.

    Attributes:
        store: where the pixels are.
        modality: "photo" or "sketch".
        item: (n,) int64, entries of `store.items`.
        label: (n,) int64, index into the subset's `classes` (for `fg` a class is an instance).
        instance: (n,) int64, index into `store.items.instances`, -1 for none.
    """

    store: Store
    modality: Modality
    item: np.ndarray
    label: np.ndarray
    instance: np.ndarray

    def __len__(self) -> int:
        return len(self.item)

    def take(self, chosen: np.ndarray) -> ImageSubset:
        """The images a boolean mask or positions choose."""
        return replace(
            self,
            item=self.item[chosen],
            label=self.label[chosen],
            instance=self.instance[chosen],
        )

    @property
    def row(self) -> np.ndarray:
        """(n,) int64: rows of the pixels in the store."""
        rows: np.ndarray = self.store.items.row[self.item]
        return rows

    @property
    def category(self) -> np.ndarray:
        """(n,) int64: the store's classes, which are wider than `label` where that is the photo."""
        found: np.ndarray = self.store.items.label[self.item].astype(np.int64)
        return found

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the images, for messages and files."""
        return tuple(self.store.items.id[i] for i in self.item)


@dataclass(frozen=True)
class Subset:
    """Sketches and photos that belong together; at test time sketches query, photos are gallery.

    Attributes:
        photo, sketch: the two sides; both index the same `classes`.
        classes: names of the labels.
        seen: (len(classes),) bool, which test classes were trained on (generalised protocol).
    """

    photo: ImageSubset
    sketch: ImageSubset
    classes: tuple[str, ...]
    seen: np.ndarray


@dataclass(frozen=True)
class Partition:
    """A task's parts, and what a figure measured on them must carry.

    Attributes:
        train: what is trained on.
        val: held-out *seen* classes (or instances, or sketches), None where nothing is held out.
        test: the unseen classes (or instances, or query sketches).
        provenance: of the data; `scope` "class" (Sketchy's pairs) means among the photos of the
            query's class in `store.items.label`.
    """

    train: Subset
    val: Subset | None
    test: Subset
    provenance: Provenance = field(default_factory=Provenance)
