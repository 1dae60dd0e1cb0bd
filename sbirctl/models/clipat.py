"""CLIP-AT: CLIP for All Things Zero-Shot Sketch-Based Image Retrieval, CVPR 2023.

The defaults are the paper's system for categories; the preset `fine-grained` is its other one. What
the paper leaves open is a setting whose default is named on the card (clipat.toml).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from sbirctl.core.config import Layer, setting
from sbirctl.core.errors import UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.losses import (
    DistanceOrder,
    category_divergence,
    class_logits,
    classification,
    clipat_objective,
    cosine_triplet,
    relative_distance,
)
from sbirctl.models import MODELS, Augmentation, Stage, card_presets
from sbirctl.models._prompted import PromptedModel
from sbirctl.models._recipe import IMAGENET_MEAN, IMAGENET_STD
from sbirctl.models.layers.class_texts import FineGrained, text_of_class
from sbirctl.models.layers.clip_towers import SMALL_CLIP, SMALL_TOWERS, ClipSettings
from sbirctl.models.layers.patch_shuffle import check_grid, shuffle_patches, two_orders
from sbirctl.models.layers.prompted_clip import PromptedEncoder, TrainedPart
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.sampling.tuple_plans import QuadrupletPlan
from sbirctl.store.manifest import Modality

_ALL_PARTS = ("norms", "prompts", "proj", "attention", "embeddings")
_SMALL: Layer = {
    "backbone": SMALL_TOWERS,
    "size": 32,
    "train": _ALL_PARTS,
    "temperature": 0.1,
    "lr": 1e-3,
    "lr_prompts": 1e-3,
    "batch": 32,
    "epochs": 20,
    "val": "none",
    "patience": 0,
}


@dataclass(frozen=True)
class ClipAtSettings(ClipSettings):
    """Architecture, losses and recipe; the defaults are the paper's for categories."""

    prompts: int = setting(3, help="number of prompt tokens")
    common_prompt: bool = setting(False, help="the same prompts for sketches and photos")
    branches: int = setting(2, help="branches; 1: sketches and photos share the LayerNorms too")
    train: tuple[TrainedPart, ...] = setting(
        ("norms", "prompts"), help="what is trained: norms, prompts, proj, attention, embeddings"
    )
    temperature: float = setting(
        0.01, help="temperature tau of the classification loss", above=0, kind="loss"
    )
    margin: float = setting(0.3, help="margin mu of the triplet loss", kind="loss")
    cls_weight: float = setting(
        0.5, help="weight of the classification losses, lambda_1 or 2", kind="loss"
    )
    divergence: float = setting(
        0.0,
        help="weight lambda_3, of the divergence of relative distances across categories",
        kind="loss",
    )
    per_category: int = setting(
        4, help="triplets of a category in a batch, which the divergence compares", least=2
    )
    divergence_order: DistanceOrder = setting(
        "drawn",
        help="relative distances of a category as drawn, or sorted from near to far",
        kind="loss",
    )
    shuffle: float = setting(0.0, help="weight lambda_4 of the patch shuffling loss", kind="loss")
    shuffle_grid: int = setting(
        2, help="cells of a row and of a column in shuffling", least=2, kind="loss"
    )
    shuffle_margin: float = setting(
        0.3, help="margin mu_ps of the patch shuffling loss", kind="loss"
    )
    template: str = setting("a photo of a {}", help="text of a class", kind="input")
    fg_text: FineGrained = setting(
        "category", help="text of a photo instance: its own name, or its category's", kind="input"
    )
    lr: float = setting(1e-5, help="learning rate of the encoder's trained parts")
    lr_prompts: float = setting(1e-5, help="learning rate of the prompts", kind="recipe")
    optimizer: Literal["adamw", "adam", "sgd"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "step"] = "constant"
    batch: int = setting(64, help="triplets of one step, over all processes")
    epochs: int = setting(60, help="passes over the training sketches")
    patience: int = setting(5, help="epochs without a better validation before stopping")
    augment: Augmentation = "none"


@MODELS.register
class ClipAt(PromptedModel):
    """Prompted CLIP encoder and frozen text encoder, trained with triplets."""

    name = "clipat"
    check_settings: ClassVar[Layer] = {
        "backbone": SMALL_CLIP, "size": 32, "batch": 4, "divergence": 0.1, "per_category": 2,
        "shuffle": 1.0,
    }  # fmt: skip
    Settings = ClipAtSettings
    presets: ClassVar[dict[str, Layer]] = {
        **card_presets("clipat"),
        "released": {
            "branches": 1,
            "train": _ALL_PARTS,
            "cls_weight": 0.0,
            "margin": 0.2,
            "lr": 1e-6,
            "lr_prompts": 1e-4,
            "batch": 192,
            "resize": "bilinear",
            "precision": "fp32",
            "val": "none",
            "patience": 0,
            "mean": IMAGENET_MEAN,
            "std": IMAGENET_STD,
        },
        # Little data and time: two small towers of random values, which have all to learn.
        "small": _SMALL,
        "small-fine": {
            **_SMALL,
            "common_prompt": True,
            "branches": 1,
            "divergence": 0.1,
            "shuffle": 1.0,
        },
    }

    def __init__(self, settings: ClipAtSettings, classes: tuple[str, ...] | None = None) -> None:
        check_grid(settings.shuffle_grid, settings.size, "shuffle_grid")
        super().__init__(settings, classes)

    def make_encoder(self, clip: Any) -> PromptedEncoder:
        """See `PromptedModel.make_encoder`."""
        options = self.settings
        prompts = self.prompt_values(clip, 1 if options.common_prompt else 2)
        return PromptedEncoder(clip.visual, prompts, branches=options.branches, train=options.train)

    def idle_settings(self) -> dict[str, tuple[str, ...]]:
        """See `PromptedModel.idle_settings`."""
        options = self.settings
        found: dict[str, tuple[str, ...]] = {}
        if not options.cls_weight:
            found["cls_weight=0"] = ("temperature", "template", "fg_text")
        if not options.divergence:
            found["divergence=0"] = ("per_category", "divergence_order")
        if not options.shuffle:
            found["shuffle=0"] = ("shuffle_grid", "shuffle_margin")
        if not options.prompts or "prompts" not in options.train:
            found["no prompts to train"] = ("lr_prompts",)
        return found

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim), not yet normalised."""
        return self.encoder(images, None) if modality == "sketch" else self.encoder(None, images)

    def encode(self, batch: Batch) -> Encoded:
        """One pass over sketches and photos, and one over the shuffled ones where L_PS has weight.

        All sketches of a batch are shuffled in one order, its photos in that and in another one.
        Both come from the batch's seed, so every process and piece of a batch takes the same.
        """
        sketch = self.preprocess(batch.images("sketch"), "sketch")
        photo = self.preprocess(batch.images("photo"), "photo")
        both = self._unit(sketch, photo)
        extra = {}
        if self.settings.shuffle:
            grid = self.settings.shuffle_grid
            rng = rng_for("patch shuffling", self.batch_seed)
            first, second = two_orders(rng, grid * grid)
            photos = [shuffle_patches(photo, order, grid) for order in (first, second)]
            moved = self._unit(shuffle_patches(sketch, first, grid), torch.cat(photos))
            sizes = [len(sketch), len(photo), len(photo)]
            names = ("sketch_shuffled", "photo_shuffled", "photo_otherwise")
            extra = dict(zip(names, moved.split(sizes), strict=True))
        return Encoded(photo=both[len(sketch) :], sketch=both[: len(sketch)], extra=extra)

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """`triplet`, `cls_sketch`, `cls_photo`, `divergence`, `shuffle`, as far as they have a
        weight, and `total`; classification is over anchors and positives."""
        options = self.settings
        anchor, positive, negative = batch.tuple_rows()[:, :3].unbind(1)
        sketch, photo = encoded.embeddings("sketch"), encoded.embeddings("photo")
        given = sketch[anchor], photo[positive], photo[negative]
        terms = {"triplet": cosine_triplet(*given, options.margin)}
        if options.cls_weight:
            texts, text_of = self.text_features()
            sides = (
                ("cls_sketch", given[0], batch.sketch_label[anchor]),
                ("cls_photo", given[1], batch.photo_label[positive]),
            )
            for name, features, label in sides:
                logits = class_logits(features, texts, options.temperature)
                terms[name] = classification(logits, text_of[label])
        if options.divergence:
            terms["divergence"] = category_divergence(
                relative_distance(*given),
                self._category_of()[batch.sketch_label[anchor]],
                options.per_category,
                options.divergence_order,
            )
        if options.shuffle:
            extra = encoded.extra
            terms["shuffle"] = cosine_triplet(
                extra["sketch_shuffled"][anchor],
                extra["photo_shuffled"][positive],
                extra["photo_otherwise"][positive],
                options.shuffle_margin,
            )
        total = clipat_objective(
            terms,
            cls_weight=options.cls_weight,
            divergence=options.divergence,
            shuffle=options.shuffle,
        )
        return {**terms, "total": total}

    def recipe(self) -> Sequence[Stage]:
        """One stage over triplets; prompts have a learning rate of their own."""
        if self.classes is None:
            raise UsageError("A model made without training classes cannot be trained.")
        options = self.settings
        plan = QuadrupletPlan(
            batch=options.batch,
            same_category=any("/" in name for name in self.classes),
            negative_sketch=False,
            per_category=options.per_category if options.divergence else 0,
        )
        return (Stage("train", options.epochs, plan, self.trained_groups()),)

    def _unit(self, sketch: Tensor, photo: Tensor) -> Tensor:
        return F.normalize(self.encoder(sketch, photo).float(), dim=-1)

    def _category_of(self) -> Tensor:
        """(classes,) int64: which category each class is of."""
        assert self.classes is not None
        names = [text_of_class(name, "category") for name in self.classes]
        distinct = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return torch.tensor([distinct[name] for name in names], device=self._mean.device)
