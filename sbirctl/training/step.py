"""One step of training: augment and encode a batch, losses, gradients, the optimiser's step."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.models import Model
from sbirctl.sampling.batch import Batch
from sbirctl.training.all_gather import all_gather
from sbirctl.training.augment import augment
from sbirctl.training.gradient_cache import cached_gradients
from sbirctl.training.loader import to_rgb
from sbirctl.training.parallel import average_gradients, data_parallel


class TrainingStep:
    """Makes the optimiser's steps of one stage.

    Args:
        model: with its weights, on its device.
        stage: name of the recipe's stage, for the losses.
        optimizer: of the parameters that the stage moves.
        scaler: multiplies the loss in half precision.
        group: the processes that train; each takes its share of every batch.
    """

    def __init__(
        self,
        model: Model,
        stage: str,
        optimizer: torch.optim.Optimizer,
        scaler: GradScaler,
        group: ProcessGroup = SINGLE,
    ) -> None:
        self.model, self.stage, self.group = model, stage, group
        self.optimizer, self.scaler = optimizer, scaler
        self._wrapped: nn.Module | None = None

    def begin_epoch(self) -> None:
        """Other parameters may take gradients from now on."""
        self._wrapped = None

    def __call__(self, batch: Batch, augment_seed: int, seed: int) -> dict[str, Tensor]:
        """Make one step, the model being in training mode.

        Args:
            batch: as the loader gives it.
            augment_seed: of the changes to the whole batch's images.
            seed: of dropout and the like in this process.

        Returns:
            The loss terms, see `gradients`.
        """
        settings = self.model.settings
        self.optimizer.zero_grad(set_to_none=True)
        terms = gradients(
            self.model,
            to_rgb(augment(batch, settings.augment, augment_seed)),
            self.stage,
            pieces=settings.accumulate,
            seed=seed,
            autocast=self.model.autocast(),
            wrapped=self._wrapped,
            scaler=self.scaler,
        )
        if self.group.world > 1 and self._wrapped is None and settings.accumulate == 1:
            self._wrapped = data_parallel(self.model, loss_terms)  # from the second step on
        if settings.clip_grad > 0:
            moving = [p for group in self.optimizer.param_groups for p in group["params"]]
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(moving, settings.clip_grad)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return terms


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
        wrapped: what `data_parallel` made of the model and `loss_terms`; without it, the gradients
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
