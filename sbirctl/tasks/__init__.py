"""Tasks: what is trained on, what queries, what is searched. One file each, found by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sbirctl.core.config import setting
from sbirctl.core.registry import Registry

if TYPE_CHECKING:
    from sbirctl.sampling.subsets import Partition
    from sbirctl.splits.resolve import ClassSplit
    from sbirctl.store.reader import Store


@dataclass(frozen=True)
class TaskOptions:
    """What a person may choose about a task; each task reads those that concern it.

    The test side never depends on `seed`: runs with different seeds answer the same queries.
    """

    seed: int = setting(0, help="draws the validation subset, nothing else")
    val: Literal["auto", "none"] = setting("auto", help="none: no held-out subset")
    val_fraction: float = setting(0.1, help="share of classes, instances or sketches held out")
    gallery: Literal["auto", "extended", "both"] = setting(
        "auto", help="photos searched: extended folder only (auto where there is one), or both"
    )
    queries: Literal["all", "unseen"] = setting("all", help="gzs: whose sketches query")
    added: Literal["drclip", "sempcyc"] = setting(
        "drclip", help="gzs: seen images join as a fifth of some classes, or as a fifth in size"
    )
    min_photos: int = setting(0, help="cg: test classes with fewer photos are dropped (FFMLN: 400)")
    scope: Literal["auto", "class", "all"] = setting(
        "auto", help="fg: photos a sketch is ranked against; auto is its class where there are more"
    )
    query_sketches: int = setting(0, help="sbir: query sketches a class, 0 is the published number")
    protocol: Literal["zse", "drclip"] = setting("zse", help="cd: whose splits and class lists")
    source_split: str = setting("", help="cd: split of the source instead of the protocol's")
    leaks: Literal["refuse", "drop"] = setting(
        "refuse", help="images common to training and test: refuse, or drop them from training"
    )


class Task(ABC):
    """How a data set is cut into training, validation and test.

    Attributes:
        name: as a person types it.
        summary: one line for help.
        split: "default": needs a class split and takes the data set's default; "optional": only
            one a person names; "none": takes none.
        target: whether it needs a second data set.
    """

    name: str
    summary: str
    split: Literal["default", "optional", "none"]
    target: bool

    @abstractmethod
    def build(
        self,
        source: Store,
        target: Store | None,
        split: ClassSplit | None,
        options: TaskOptions,
    ) -> Partition:
        """The parts; equal arguments give equal parts.

        Raises:
            UsageError: a split or target is missing, superfluous, or an option does not apply.
            MismatchError: the split does not fit the data, or training and test leak.
        """


TASKS: Registry[Task] = Registry("task", "sbirctl.tasks", group="sbirctl.tasks")


def with_options(values: Mapping[str, object]) -> TaskOptions:
    """Options from plain values, as files and flags give them; unknown keys are errors."""
    from sbirctl.core.config import resolve

    return resolve(TaskOptions, dict(values))


def split_for(store: Store, name: str = "") -> ClassSplit:
    """The split of that name for a prepared data set, else its default.

    Looks in `<store>/splits/`, then among the published lists; see `splits.resolve.find`.
    """
    from sbirctl.splits.resolve import find

    folders = [store.folder / "splits"]
    return find(dataset_of(store), name, folders=folders, classes=store.items.classes)


def dataset_of(store: Store) -> str:
    """The published data set a store holds, or the store's own name."""
    known = store.manifest.get("dataset", "")
    return known if known and known != "folder" else store.name
