"""Fine-tuning a copy of the photo network on drawings: no photo is used."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.starter import drawings, mapping, network


@dataclass(frozen=True)
class Recipe:
    """How the drawing side is trained.

    Attributes:
        steps, batch: so many updates of so many newly changed drawings.
        rate: the largest, AdamW, one cycle.
        teacher: its share of a drawing's target; the rest is the drawing's own category.
        smooth: share of the loss on neighbouring classes.
        auxiliary: weight of the loss of a linear classifier of all categories on the features.
    """

    steps: int = 2000
    batch: int = 64
    rate: float = 5e-4
    teacher: float = 0.5
    smooth: float = 0.15
    auxiliary: float = 0.5


def fit(
    model: Any,
    folder: Path,
    teacher: Path,
    *,
    without: Sequence[str] = (),
    held_out: dict[str, int] | None = None,
    recipe: Recipe = Recipe(),
    seed: int = 0,
) -> None:
    """Train the drawing side in place.

    Args:
        model: of `network.lite0`.
        folder: Quick, Draw!'s .ndjson files.
        teacher: doodlenet's weights.
        without: categories that are left out, also of the mapping and the teacher's outputs.
        held_out: of a category only so many drawings, its first, are trained on.
    """
    names = [name for name in drawings.categories(folder) if name not in set(without)]
    pool = [
        (strokes, row)
        for row, name in enumerate(names)
        for strokes in drawings.read(folder, name)[: (held_out or {}).get(name)]
    ]
    taught = mapping.taught(teacher, (strokes for strokes, _ in pool), names)
    own = F.one_hot(torch.tensor([row for _, row in pool]), len(names)).float()
    wanted = recipe.teacher * taught + (1 - recipe.teacher) * own
    goal = mapping.targets(names, model.classifier.weight.detach())
    torch.manual_seed(seed)
    auxiliary = nn.Linear(model.classifier.in_features, len(names))
    trained = _trained(model)
    groups = [
        {"params": trained, "lr": recipe.rate},
        {"params": auxiliary.parameters(), "lr": recipe.rate * 4},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [recipe.rate, recipe.rate * 4], total_steps=recipe.steps, pct_start=0.1
    )
    rng = np.random.default_rng(seed)
    order: list[int] = []
    started = time.monotonic()
    for step in range(1, recipe.steps + 1):
        if len(order) < recipe.batch:
            order = rng.permutation(len(pool)).tolist()
        picked = [order.pop() for _ in range(recipe.batch)]
        pictures = np.stack([drawings.copy(pool[i][0], rng) for i in picked])
        losses = _losses(model, auxiliary, pictures, wanted[picked], goal)
        below, near, category = losses
        loss = (1 - recipe.smooth) * below + recipe.smooth * near + recipe.auxiliary * category
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 10 == 0:
            rate = step * recipe.batch / (time.monotonic() - started)
            figures = " ".join(f"{part.item():.3f}" for part in losses)
            print(f"step {step}: {figures} ({rate:.0f} drawings/s)", flush=True)


def _trained(model: Any) -> list[nn.Parameter]:
    """What is trained: the upper blocks but for depthwise kernels; the classifier stays."""
    network.fix_depthwise(model)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    found = []
    for part in (model.blocks[network.SHARED :], model.conv_head, model.bn2):
        for parameter in part.parameters():
            if parameter.ndim != 4 or parameter.shape[1] != 1:
                found.append(parameter.requires_grad_(True))
    return found


def _losses(
    model: Any, auxiliary: nn.Linear, pictures: np.ndarray, wanted: Tensor, goal: mapping.Targets
) -> tuple[Tensor, Tensor, Tensor]:
    """Of the classes below a category, of their neighbours, and of the categories."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            pixels = network.pixels(pictures).contiguous(memory_format=torch.channels_last)
            low = network.lower(model, pixels).float()
        top = model.bn2(model.conv_head(model.blocks[network.SHARED :](low)))
    features = model.global_pool(top.float())
    logs = torch.log_softmax(model.classifier(features), 1)
    known = wanted * (goal.member.sum(1) > 0)
    belonging = (logs.exp() @ goal.member.T).clamp(min=1e-9).log()
    below = -(known * belonging).sum(1).mean()
    near = -((known @ goal.smooth) * logs).sum(1).mean()
    said = torch.log_softmax(auxiliary(F.dropout(features, 0.2)), 1)
    return below, near, -(wanted * said).sum(1).mean()
