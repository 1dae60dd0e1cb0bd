"""What a task hands to training and evaluation: labelled sketches and photos of a store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sbirctl.retrieval.provenance import Provenance
from sbirctl.store.manifest import Modality
from sbirctl.store.reader import Store


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
        return self.store.items.row[self.item]

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
