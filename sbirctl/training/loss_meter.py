"""Loss terms between two log lines: kept on the device, fetched together, checked for NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sbirctl.core.errors import SbirctlError

_SHOWN = 4


class NotFiniteError(SbirctlError):
    """The loss, or a weight, is no number any more.

    Attributes:
        epoch, step: 1-based epoch of the stage and step of that epoch.
        ids: the images of the batch.
    """

    def __init__(self, what: str, epoch: int, step: int, ids: Sequence[str]) -> None:
        shown = ", ".join(ids[:_SHOWN])
        more = f" and {len(ids) - _SHOWN} more (all in log.jsonl)" if len(ids) > _SHOWN else ""
        batch = f"; its batch: {shown}{more}" if ids else ""
        super().__init__(
            f"{what} in epoch {epoch}, step {step}{batch}.",
            "Lower the learning rate (--set lr=…), or look at these images.",
        )
        self.epoch = epoch
        self.step = step
        self.ids = tuple(ids)


class LossMeter:
    """Collects the terms of some steps; `fetch` waits for the device once for all of them."""

    def __init__(self) -> None:
        self._terms: list[Tensor] = []
        self._names: tuple[str, ...] = ()
        self._about: list[tuple[int, int, tuple[str, ...]]] = []

    def __len__(self) -> int:
        return len(self._about)

    def add(self, terms: Mapping[str, Tensor], epoch: int, step: int, ids: Sequence[str]) -> None:
        """Keep one step's terms (scalars on the device) and what it was."""
        self._names = tuple(terms)
        self._terms.append(torch.stack([terms[name].float() for name in self._names]))
        self._about.append((epoch, step, tuple(ids)))

    def fetch(self) -> dict[str, float]:
        """Means of the terms since the last call.

        Raises:
            NotFiniteError: "total" was NaN or infinite in one of the steps; the first is named.
        """
        values = torch.stack(self._terms).cpu()
        about = self._about
        self._terms, self._about = [], []
        for row, (epoch, step, ids) in zip(values.tolist(), about, strict=True):
            total = row[self._names.index("total")]
            if not math.isfinite(total):
                raise NotFiniteError(f"The loss became {total}", epoch, step, ids)
        return dict(zip(self._names, values.double().mean(0).tolist(), strict=True))
