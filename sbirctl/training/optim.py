"""Optimisers, learning-rate schedules and which parameters move when."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from sbirctl.core.errors import SbirctlError
from sbirctl.models import ModelSettings, Stage


def make_optimizer(stage: Stage, settings: ModelSettings) -> torch.optim.Optimizer:
    """The recipe's optimiser over the stage's parameter groups.

    Each group keeps its highest learning rate as `peak`; `set_rates` scales it.

    Raises:
        SbirctlError: the stage trains nothing, or one parameter is in two groups.
    """
    groups: list[dict[str, Any]] = [
        {
            "name": group.name,
            "params": list(group.params),
            "lr": group.lr,
            "peak": group.lr,
            "weight_decay": group.weight_decay,
        }
        for group in stage.groups
        if len(group.params)
    ]
    if not groups:
        raise SbirctlError(f"Stage {stage.name!r} has no parameters to train.")
    try:
        # One kernel for all parameters instead of several a tensor; others lack it.
        fused = groups[0]["params"][0].device.type in ("cpu", "cuda")
        if settings.optimizer == "sgd":
            return torch.optim.SGD(groups, momentum=settings.momentum, fused=fused)
        kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
        return kind(groups, fused=fused)
    except ValueError as error:
        raise SbirctlError(f"Stage {stage.name!r} cannot be trained: {error}.") from error


def rate_factor(kind: str, step: int, total: int, warmup: int) -> float:
    """What the learning rates are multiplied with in a step.

    With t = (step - warmup) / (total - warmup) after a linear warm-up (step + 1) / warmup:
    constant 1; cosine (1 + cos(pi t)) / 2; step 1, from t = 1/2 on 0.1, from t = 3/4 on 0.01;
    drop 1, from t = 2/3 on 0.1; exponential 0.001^t.

    Args:
        kind: constant, cosine, step, drop or exponential.
        step: 0-based, over the whole stage.
        total: steps of the stage.
        warmup: steps of the warm-up.

    Raises:
        ValueError: another kind.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    if kind == "cosine":
        return (1 + math.cos(math.pi * min(1.0, done))) / 2
    if kind == "step":
        return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01
    if kind == "drop":
        return 1.0 if done < 2 / 3 else 0.1
    if kind == "exponential":
        return float(0.001**done)
    if kind == "constant":
        return 1.0
    raise ValueError(f"There is no schedule {kind!r}.")


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to its peak times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


def set_trainable(model: nn.Module, stage: Stage, epoch: int) -> None:
    """Let exactly the parameters that move in this epoch take gradients.

    Groups with `frozen_epochs` stay still in their first epochs: without a gradient the optimiser
    skips them, weight decay included. Parameters in no group never move.
    """
    moving = {
        id(parameter)
        for group in stage.groups
        if epoch >= stage.frozen_epochs.get(group.name, 0)
        for parameter in group.params
    }
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in moving)
        parameter.grad = None
