"""What a data set is: where it comes from, and how its files become a `RawDataset`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets.readers.tree import Tree
from sbirctl.store.raw import RawDataset, RawItem

__all__ = ["Dataset", "NoOptions", "RawDataset", "RawItem"]


@dataclass(frozen=True)
class NoOptions:
    """For a data set that can be read in one way only."""


class Dataset(ABC):
    """One data set. Subclasses live in a file of their name and are registered.

    Attributes:
        name: name of the file.
        title: one line for `sbirctl datasets`.
        page: the publisher's page; "" for drawn data sets and one's own.
        download: what to get there, in words.
        inputs: what is read: roles and how a person gives them ("from" is `--from`). () for
            drawn data sets.
        Options: a frozen dataclass of choices in reading (`core.config.resolve` builds it).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    page: ClassVar[str] = ""
    download: ClassVar[str] = ""
    inputs: ClassVar[tuple[str, ...]] = ("from",)
    Options: ClassVar[type] = NoOptions

    @abstractmethod
    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: Any,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> RawDataset:
        """The items of the data set.

        Args:
            trees: per role the folders and archives given, in order.
            options: an instance of `Options`.
            name: the name the store will have.
            report: for warnings; what belongs to the result goes into `RawDataset.remarks`.

        Raises:
            MissingError: the folders hold nothing of this data set.
            MismatchError: they do not belong together.
        """
