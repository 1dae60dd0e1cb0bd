"""Tasks: what is trained on, what queries, what is searched. One file each, found by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from sbirctl.core.config import setting
from sbirctl.core.lazy import lazy_attributes
from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.sampling.subsets import Partition
    from sbirctl.splits.resolve import ClassSplit
    from sbirctl.store.reader import Store
    from sbirctl.tasks._apart import images_in_common as images_in_common
    from sbirctl.tasks._common import dataset_of as dataset_of
    from sbirctl.tasks._common import split_for as split_for
    from sbirctl.tasks._common import unseen_and_seen as unseen_and_seen
    from sbirctl.tasks._instances import Instances as Instances
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "_common": ("dataset_of", "split_for", "unseen_and_seen"),
            "_instances": ("Instances",),
            "_apart": ("images_in_common",),
        },
    )


@dataclass(frozen=True)
class TaskOptions:
    """What may be chosen about every task; a task adds its own in a subclass."""

    leaks: Literal["refuse", "drop", "allow"] = setting(
        "refuse",
        help="refuse to train if test images are in training, or drop those images there; "
        "allow: train on them, for gzs with joined=trained only",
    )


@dataclass(frozen=True)
class GalleryOptions(TaskOptions):
    """For tasks whose gallery is all photos of the test classes."""

    gallery: Literal["auto", "extended", "both"] = setting(
        "auto",
        help="photos searched: extended (no original photos), both (originals count twice), "
        "or auto: extended where the data set has extended photos, else all",
    )


@dataclass(frozen=True)
class Holdout:
    """What is held out of the training images for validation; the test side never depends on it.

    Attributes:
        fraction: share of the classes, instances or sketches (as the task has it); 0 for none.
        seed: draws them.
    """

    fraction: float = 0.1
    seed: int = 0


O = TypeVar("O", bound=TaskOptions)  # noqa: E741


class Task(ABC, Generic[O]):
    """How a data set is cut into training, validation and test.

    Attributes:
        name: as a person types it.
        summary: one line for help.
        split: "default": needs a class split and takes the data set's default; "optional": only
            one a person names; "none": takes none.
        target: whether it needs a second data set.
        unit: what intervals and tests draw again: "class" where the test classes are a sample of
            the classes there might be, else "query".
        Options: a frozen dataclass of what may be chosen, `TaskOptions` or a subclass of it; each
            field a `core.config.setting` with help.
    """

    name: str
    summary: str
    split: Literal["default", "optional", "none"]
    target: bool
    unit: ClassVar[Literal["class", "query"]] = "query"
    Options: type[O]

    @abstractmethod
    def build(
        self,
        source: Store,
        target: Store | None,
        split: ClassSplit | None,
        options: O,
        holdout: Holdout,
    ) -> Partition:
        """The parts; equal arguments give equal parts.

        Raises:
            UsageError: a split or target is missing, superfluous, or an option does not apply.
            MismatchError: the split does not fit the data, or training and test leak.
        """


TASKS: Registry[Task[Any]] = Registry("task", "sbirctl.tasks", group="sbirctl.tasks")
