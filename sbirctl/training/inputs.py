"""What a run reads: data set, task, split and options by name, and the partition they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sbirctl.core.config import resolve, to_dict
from sbirctl.core.errors import MismatchError
from sbirctl.sampling.subsets import Partition
from sbirctl.store.reader import Store, prepared
from sbirctl.tasks import TASKS, Holdout, TaskOptions, split_for

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

    def open(self, holdout: Holdout = Holdout()) -> Data:
        """Open the stores and build the partition.

        Args:
            holdout: what is held out for validation.

        Raises:
            MissingError: a data set is not prepared.
            UsageError: an unknown task or split.
            MismatchError: training and test have something in common.
        """
        task = TASKS.get(self.task)
        source = _store(self.dataset or default_dataset())
        target = _store(self.target) if self.target else None
        split = None
        if self.split or task.split == "default":
            split = split_for(target or source, _absolute(self.split))
        options = self.options or task.Options()
        partition = task.build(source, target, split, options, holdout)
        resolved = replace(
            self,
            dataset=self.dataset or source.name,
            split=_absolute(self.split) or (split.name if split else ""),
            options=options,
        )
        return Data(resolved, holdout, source, target, partition)


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
            "split": self.partition.facts.get("split_digest", ""),
        }

    def label(self) -> str:
        """`<task>-<data set>-<split>` for folder names."""
        names = [self.inputs.task, self.store.name]
        names += [self.target.name] if self.target else []
        split = str(self.partition.facts.get("split", "")).rpartition("/")[2]
        return "-".join([*names, split] if split else names)

    def record(self) -> dict[str, Any]:
        """What a checkpoint keeps of its inputs; `reopen` takes it back."""
        return {
            "inputs": {**vars(self.inputs), "options": to_dict(self.inputs.options)},
            "holdout": asdict(self.holdout),
            "identity": self.identity(),
            "store_settings": dict(self.store.settings),
            **self.partition.facts,
        }


def reopen(record: Mapping[str, Any]) -> Data:
    """The same data again.

    Raises:
        MismatchError: a data set, the split or the images are not what they were.
        MissingError: a data set is not here any more.
    """
    named = record["inputs"]
    options = resolve(TASKS.get(named["task"]).Options, named["options"])
    data = Inputs(**{**named, "options": options}).open(Holdout(**record["holdout"]))
    then, now = record["identity"], data.identity()
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


def _store(name: str) -> Store:
    return Store.open(name)


def _absolute(split: str) -> str:
    """A list file is remembered by its full path; names stay names."""
    return str(Path(split).expanduser().absolute()) if split.endswith(".txt") else split
