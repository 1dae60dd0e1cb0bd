"""What a loss is that a training can choose by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from inspect import Parameter, signature
from typing import Any, ClassVar, Self

from torch import Tensor, nn


class Loss(nn.Module, ABC):
    """A loss of one batch of embeddings, for any loop; `train --set loss=NAME` takes it by name.

    Attributes:
        name: as a person types it.
    """

    name: ClassVar[str]

    @classmethod
    def of(cls, dim: int, classes: int, **options: Any) -> Self:  # noqa: ARG003
        """The loss for embeddings of `dim` numbers and so many training classes.

        One with parameters of its own, such as a proxy a class, makes them here.

        Args:
            options: of those it `takes`, what a model's settings say.
        """
        return cls(**options)

    @classmethod
    def takes(cls) -> frozenset[str]:
        """Arguments of the constructor: a model's settings of these names hold for the loss.

        Without those that an `of` of one's own does not pass on.
        """
        own = frozenset(signature(cls).parameters) - {"dim", "classes"}
        passed = signature(cls.of).parameters
        if any(one.kind is Parameter.VAR_KEYWORD for one in passed.values()):
            return own
        return own & frozenset(passed)

    @abstractmethod
    def forward(
        self, embeddings: Tensor, labels: Tensor, is_sketch: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch.

        Args:
            embeddings: (n, dim), any float type, any norm.
            labels: (n,) int64 classes.
            is_sketch: (n,) bool; None where there is one modality.

        Returns:
            Scalar float32; 0 with a zero gradient where the batch has nothing to learn from.
        """
