"""What a run reads: data set, task, split and options by name, and the partition they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from sbirctl.core.config import resolve, to_dict
from sbirctl.core.errors import MismatchError
from sbirctl.sampling.subsets import Partition
from sbirctl.splits.resolve import ClassSplit
from sbirctl.store.reader import Store, prepared
from sbirctl.tasks import TASKS, Holdout, Task, TaskOptions, split_for

DEFAULT_DATASET = "sketchy"


@dataclass(frozen=True)
class Inputs:
    """What a partition is made from, by name: as typed or recorded.

    Attributes:
        dataset: name or folder of a prepared data set, "" for the default one.
        target: the second data set of the tasks that need one.
        task: name of the task.
        split: name or file of a class list, "" for the data set's default.
        options: of the task, None for its defaults.
    """

    dataset: str = ""
    target: str = ""
    task: str = "cg"
    split: str = ""
    options: TaskOptions | None = None

    @classmethod
    def typed(cls, flags: Mapping[str, Any], options: TaskOptions | None = None) -> Inputs:
        """Inputs as a person types them, see `training.config.Flags`; what is left out is ""."""
        names = {key: flags.get(key, "") for key in ("dataset", "target", "split")}
        return cls(**names, task=flags.get("task") or cls.task, options=options)

    def find(self) -> Found:
        """What the names mean.

        Raises:
            MissingError: a data set is not prepared.
            UsageError: an unknown task or split.
        """
        task = TASKS.get(self.task)
        source = Store.open(self.dataset or default_dataset())
        target = Store.open(self.target) if self.target else None
        split = None
        if self.split or task.split == "default":
            split = split_for(target or source, _absolute(self.split))
        return Found(task, source, target, split)

    def open(self, holdout: Holdout = Holdout(), found: Found | None = None) -> Data:
        """Open the stores and build the partition.

        Args:
            holdout: what is held out for validation.
            found: what `find` gave, where that was asked before.

        Raises:
            MissingError: a data set is not prepared.
            UsageError: an unknown task or split.
            MismatchError: training and test have something in common.
        """
        task, source, target, split = found or self.find()
        options = self.options or task.Options()
        partition = task.build(source, target, split, options, holdout)
        resolved = replace(
            self,
            dataset=self.dataset or source.name,
            split=_absolute(self.split) or (split.name if split else ""),
            options=options,
        )
        return Data(resolved, holdout, source, target, partition)


class Found(NamedTuple):
    """What `Inputs` name: the task, its data set, the second one, and the split, None for none."""

    task: Task[Any]
    source: Store
    target: Store | None
    split: ClassSplit | None


@dataclass(frozen=True)
class Data:
    """Opened inputs.

    Attributes:
        inputs: with every default filled in. holdout: what is held out for validation.
        store: the data set. target: the second one, or None.
        partition: what the task makes of them.
    """

    inputs: Inputs
    holdout: Holdout
    store: Store
    target: Store | None
    partition: Partition

    def identity(self) -> dict[str, Any]:
        """What decides the partition, by content: digests instead of names and paths."""
        return {
            "task": self.inputs.task,
            "options": to_dict(self.inputs.options),
            "validation": asdict(self.holdout),
            "store": self.store.digest,
            "target": self.target.digest if self.target else "",
            "split": self.partition.provenance.split_digest or "",
        }

    def label(self) -> str:
        """`<task>-<data set>-<split>` for folder names."""
        names = [self.inputs.task, self.store.name]
        names += [self.target.name] if self.target else []
        known = self.partition.provenance
        split = (known.split or "").rpartition("/")[2]
        names += [split] if split else []
        names += ["leaks-allowed"] if known.leaks_allowed else []  # pictures bear the run's name
        return "-".join(names)

    def record(self) -> DataRecord:
        """What a checkpoint keeps of its inputs; `reopen` takes it back."""
        return DataRecord(
            inputs={**vars(self.inputs), "options": to_dict(self.inputs.options)},
            holdout=asdict(self.holdout),
            identity=self.identity(),
            store_settings=dict(self.store.settings),
        )


# As plain values; what a checkpoint says may come from elsewhere.
DATA_FORM = {
    "inputs": {"dataset": str, "target": str, "task": str, "split": str, "options": dict},
    "holdout": dict,
    "identity": {"store": str, "target": str, "split": str},
    "store_settings": {"size": range(1, 1 << 16)},
}


@dataclass(frozen=True)
class DataRecord:
    """What a checkpoint keeps of its inputs, as plain values.

    Attributes:
        inputs: names and options. holdout: what was held out for validation.
        identity: digests of what the names meant.
        store_settings: of the prepared data set, the images' size among them.
    """

    inputs: Mapping[str, Any]
    holdout: Mapping[str, Any]
    identity: Mapping[str, Any]
    store_settings: Mapping[str, Any]

    @property
    def dataset(self) -> str:
        """Name or folder of the data set trained on."""
        return str(self.inputs["dataset"])

    @property
    def size(self) -> int:
        """Side of the stored images in pixels."""
        return int(self.store_settings["size"])


def reopen(record: DataRecord) -> Data:
    """The same data again.

    Raises:
        MismatchError: a data set, the split or the images are not what they were.
        MissingError: a data set is not here any more.
    """
    named = record.inputs
    options = resolve(TASKS.get(named["task"]).Options, named["options"])
    data = Inputs(**{**named, "options": options}).open(Holdout(**record.holdout))
    then, now = record.identity, data.identity()
    for key, what in (("store", "data set"), ("target", "target data set"), ("split", "split")):
        if then[key] != now[key]:
            raise MismatchError(
                f"The {what} is not the one this was trained on: digest {now[key][:12] or 'none'} "
                f"instead of {then[key][:12] or 'none'}.",
                "Prepare it as before, or train again.",
            )
    return data


def default_dataset() -> str:
    """The only prepared data set, else Sketchy."""
    known = prepared()
    return known[0] if len(known) == 1 else DEFAULT_DATASET


def _absolute(split: str) -> str:
    """A list file is remembered by its full path; names stay names."""
    return str(Path(split).expanduser().absolute()) if split.endswith(".txt") else split
