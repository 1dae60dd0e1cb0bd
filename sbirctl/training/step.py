"""One step of training: the gradients of a batch, and the loss terms until they are logged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from sbirctl.core.errors import SbirctlError
from sbirctl.models import Model
from sbirctl.sampling.batch import Batch
from sbirctl.training.all_gather import all_gather
from sbirctl.training.gradient_cache import cached_gradients
from sbirctl.training.parallel import average_gradients


def gradients(
    model: Model,
    batch: Batch,
    stage: str,
    *,
    pieces: int,
    seed: int,
    autocast: AbstractContextManager[object],
    wrapped: nn.Module | None = None,
    scaler: GradScaler | None = None,
) -> dict[str, Tensor]:
    """Add the gradients of one batch's total loss to the parameters.

    Args:
        model: in training mode.
        batch: the whole batch or this process's share, on the model's device.
        stage: name of the recipe's stage, for the losses.
        pieces: in how many pieces to encode it, see `training.gradient_cache`; 1 is a plain
            backward pass.
        seed: of this step; dropout and the like are drawn from it alone, so a resumed run draws
            what an uninterrupted one does.
        autocast: context of the forward passes.
        wrapped: `LossTerms` of the model in its data-parallel wrapper; without it, the gradients
            of shares are averaged after the backward pass.
        scaler: multiplies the loss, and with it the gradients, where half precision would lose
            the small ones.

    Returns:
        The named terms and "total" of the whole batch, detached scalars still on the device. The
        gradients are those of the whole batch in every process.
    """
    if pieces > 1:
        return cached_gradients(model, batch, stage, pieces, seed, autocast, scaler)
    torch.manual_seed(seed)
    with autocast:
        terms = wrapped(batch, stage) if wrapped else loss_terms(model, batch, stage)
    if terms["total"].requires_grad:  # not while every group is frozen
        (scaler.scale(terms["total"]) if scaler else terms["total"]).backward()
    if batch.share is not None and wrapped is None:
        average_gradients(model.parameters(), len(batch.share.photos))
    return {name: value.detach() for name, value in terms.items()}


def loss_terms(model: Model, batch: Batch, stage: str) -> dict[str, Tensor]:
    """Encode a batch and compute its losses: named scalars and "total", with gradient.

    Of many processes each encodes its share, and computes the losses of the whole batch.

    Args:
        model: in training or evaluation mode.
        batch: the whole batch or this process's share, on the model's device.
        stage: name of the recipe's stage.
    """
    encoded = model.encode(batch)
    if batch.share is not None:
        encoded = all_gather(encoded, batch.share)
    return model.losses(encoded, batch.whole, stage)


class LossTerms(nn.Module):
    """`loss_terms` as the one module call that PyTorch's data-parallel wrapper wants."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """See `loss_terms`."""
        return loss_terms(self.model, batch, stage)


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
