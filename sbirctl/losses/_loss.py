"""What a loss is that a training can choose by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from inspect import Parameter, signature
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from sbirctl.core.errors import UsageError


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

    @classmethod
    def with_settings(
        cls, dim: int, classes: int, given: Mapping[str, float], needed: Collection[str]
    ) -> Self:
        """The loss with those of a model's settings that it `takes`.

        Args:
            dim, classes: as for `of`.
            given: values by the names of settings.
            needed: names of those that would have no effect if the loss did not take them.

        Raises:
            UsageError: it does not take one of `needed`.
        """
        own = cls.takes()
        for name in sorted(set(needed) - own):
            raise UsageError(
                f"{name}={given[name]} changes nothing: the loss {cls.name} has no {name}.",
                f"Leave out {name}=….",
            )
        return cls.of(dim, classes, **{key: given[key] for key in given if key in own})

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
