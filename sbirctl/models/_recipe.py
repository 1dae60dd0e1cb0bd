"""What all models are told, and how one is trained: settings, stages, groups of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from sbirctl.core.config import setting
from sbirctl.sampling.plans import BatchPlan

Augmentation = Literal["none", "flip", "standard", "strong", "released"]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ModelSettings:
    """Preprocessing and recipe that all models have; a model adds its own and other defaults."""

    preset: str = setting(
        "", help="named set of settings, see `sbirctl models show`", kind="machine"
    )
    size: int = setting(224, help="side of the square input in pixels", least=1, kind="input")
    resize: Literal["bicubic", "bilinear"] = setting(
        "bicubic",
        help="how stored images of another size are brought to size, antialiased",
        kind="input",
    )
    mean: tuple[float, ...] = setting(
        IMAGENET_MEAN, help="mean of the inputs, of 0..1", kind="input"
    )
    std: tuple[float, ...] = setting(
        IMAGENET_STD, help="standard deviation of the inputs, of 0..1", least=1e-3, kind="input"
    )
    epochs: int = setting(10, help="passes over the training data", kind="recipe", least=1)
    batch: int = setting(
        64,
        help="images (or tuples) of one optimiser step, over all processes",
        kind="recipe",
        least=1,
    )
    accumulate: int = setting(
        1, help="compute a batch in so many pieces, to save memory", kind="machine", least=1
    )
    optimizer: Literal["adamw", "adam", "sgd"] = setting(
        "adamw", help="adamw, adam or sgd", kind="recipe"
    )
    lr: float = setting(1e-4, help="highest learning rate", kind="recipe")
    weight_decay: float = setting(5e-4, help="weight decay of the optimizer", kind="recipe")
    momentum: float = setting(0.9, help="share of the last step kept by sgd", kind="recipe")
    schedule: Literal["constant", "cosine", "step", "drop", "exponential"] = setting(
        "cosine",
        help="how the learning rate falls: constant, cosine, step, drop or exponential",
        kind="recipe",
    )
    warmup: float = setting(
        0.0, help="epochs in which the learning rate rises from 0", kind="recipe"
    )
    clip_grad: float = setting(0.0, help="largest gradient norm, 0 for none", kind="recipe")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = setting(
        "auto",
        help="auto is bf16 on a GPU that has it, fp32 elsewhere; fp16 scales the loss",
        kind="machine",
    )
    augment: Augmentation = setting(
        "standard",
        help="none, flip, standard, strong, or released: that of FFMLN's authors",
        kind="recipe",
    )
    mirror: bool = setting(
        False, help="embed an image and its mirror image, and take the mean of both", kind="input"
    )
    val: Literal["auto", "none"] = setting(
        "auto",
        help="auto: a held-out subset chooses the epoch; none: the last epoch is kept",
        kind="recipe",
    )
    val_fraction: float = setting(
        0.1,
        help="share of classes, instances or sketches held out, as the task has it; 0: none",
        kind="recipe",
    )
    patience: int = setting(
        0, help="epochs without a better validation before stopping, 0: never", kind="recipe"
    )


def remarks(settings: ModelSettings, classes: Sequence[str], stored: int) -> list[str]:
    """See `Model.remarks`: what of the settings has no effect, or one that is not wanted."""
    found = []
    if settings.resize != "bicubic" and stored == settings.size:
        found.append(
            f"resize={settings.resize} changes nothing: the stored images have {stored}"
            " pixels already; prepare larger ones (--size)"
        )
    if settings.mirror and any("/" in name for name in classes):
        found.append(
            "mirror=true makes a photo and its mirror image alike, where each instance is a"
            " class of its own; --set mirror=false tells them apart"
        )
    return found


@dataclass(frozen=True)
class ParamGroup:
    """Parameters that share a learning rate (absolute, before the schedule)."""

    name: str
    params: Sequence[nn.Parameter]
    lr: float
    weight_decay: float


@dataclass(frozen=True)
class Stage:
    """One stage of a recipe; stages run one after the other on the same model.

    Attributes:
        name: for logs, `--from-stage` and `Model.losses`.
        epochs: passes.
        plan: how batches are drawn.
        groups: what is trained. Parameters in no group get no gradient in this stage.
        frozen_epochs: {group name: number of first epochs in which it does not move}.
        validate: whether retrieval on the held-out subset chooses the epoch; else the last is kept.
    """

    name: str
    epochs: int
    plan: BatchPlan
    groups: Sequence[ParamGroup]
    frozen_epochs: Mapping[str, int] = field(default_factory=dict)
    validate: bool = True
