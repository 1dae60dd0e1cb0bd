"""Siamese baseline: one network for sketches and photos, normalised softmax over the classes.

Zhai & Wu, "Classification is a Strong Baseline for Deep Metric Learning", BMVC 2019. Without
training classes (embedding as it is) the pooled features of the backbone are the embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.config import setting
from sbirctl.core.errors import UsageError
from sbirctl.losses.normalised_softmax import normalised_softmax
from sbirctl.losses.triplet import batch_hard_triplet
from sbirctl.models import (
    MODELS,
    Augmentation,
    Model,
    ModelSettings,
    ParamGroup,
    Stage,
    WeightsRecord,
)
from sbirctl.models.layers.backbones import BackboneSettings, build
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.sampling.plans import BalancedPlan
from sbirctl.store.manifest import Modality


@dataclass(frozen=True)
class BaselineSettings(ModelSettings):
    """What the baseline adds to the settings of all models."""

    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    dim: int = setting(512, help="size of the embedding, 0 for the pooled features themselves")
    freeze_bn: bool = setting(True, help="batch norm keeps its running statistics", kind="recipe")
    temperature: float = setting(0.2, help="t of the normalised softmax; the paper's is 0.05")
    triplet: float = setting(0.0, help="weight of the batch-hard triplet loss")
    margin: float = setting(0.2, help="margin of the triplet loss, Euclidean distance")
    per_class: int = setting(
        2, help="images of a class in a batch, half of them sketches", kind="recipe"
    )
    augment: Augmentation = "strong"
    mirror: bool = setting(True, help="embed an image and its mirror image, take the mean")
    epochs: int = setting(4, help="passes over the images")
    lr: float = setting(1e-3, help="highest learning rate of the embedding layer")
    lr_backbone: float = setting(3e-4, help="highest learning rate of the backbone", kind="recipe")
    lr_proxies: float = setting(
        5e-2, help="highest learning rate of the class proxies", kind="recipe"
    )


@MODELS.register
class Baseline(Model):
    """Backbone, linear embedding layer, one proxy a training class."""

    name = "baseline"
    Settings = BaselineSettings

    def __init__(self, settings: BaselineSettings, classes: tuple[str, ...] | None = None) -> None:
        super().__init__(settings, classes)
        self.backbone = build(settings.backbone, freeze_bn=settings.freeze_bn)
        # An untrained projection would only blur the features, so without classes there is none.
        projects = classes is not None and settings.dim > 0
        self.dim = settings.dim if projects else self.backbone.width
        self.projection = nn.Linear(self.backbone.width, self.dim) if projects else nn.Identity()
        if classes is not None:
            # Unit variance, not unit norm: the loss ignores the norm, an optimiser's step does not.
            self.proxies = nn.Parameter(torch.randn(len(classes), self.dim))

    def load_weights(self, weights: str) -> WeightsRecord:
        """See `Model.load_weights`; the weights are the backbone's."""
        return self.backbone.load_weights(weights)

    def expected_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """See `Model.expected_normalisation`."""
        return self.backbone.normalisation()

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim), not yet normalised."""
        return self.projection(self.backbone(images))

    def encode(self, batch: Batch) -> Encoded:
        """Photos and sketches through the one network in one pass."""
        photo = self.preprocess(batch.images("photo"), "photo")
        sketch = self.preprocess(batch.images("sketch"), "sketch")
        both = F.normalize(self.features(torch.cat([photo, sketch]), "photo").float(), dim=-1)
        return Encoded(photo=both[: len(photo)], sketch=both[len(photo) :])

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """`softmax`, `triplet` where it has a weight, and `total`."""
        embeddings = torch.cat([encoded.embeddings("photo"), encoded.embeddings("sketch")])
        labels = torch.cat([batch.photo_label, batch.sketch_label])
        options = self.settings
        softmax = normalised_softmax(
            embeddings, self.proxies, labels, temperature=options.temperature
        )
        if not options.triplet:
            return {"softmax": softmax, "total": softmax}
        triplet = batch_hard_triplet(embeddings, labels, margin=options.margin)
        total = softmax + options.triplet * triplet
        return {"softmax": softmax, "triplet": triplet, "total": total}

    def recipe(self) -> Sequence[Stage]:
        """One stage; backbone, embedding layer and proxies have learning rates of their own."""
        if self.classes is None:
            raise UsageError("A model made without training classes cannot be trained.")
        options = self.settings
        groups = [
            self._group("backbone", self.backbone.trained(), options.lr_backbone),
            self._group("projection", list(self.projection.parameters()), options.lr),
            self._group("proxies", [self.proxies], options.lr_proxies),
        ]
        plan = BalancedPlan(batch=options.batch, per_class=options.per_class)
        return (Stage("train", options.epochs, plan, [g for g in groups if g.params]),)

    def _group(self, name: str, params: list[nn.Parameter], lr: float) -> ParamGroup:
        return ParamGroup(name, params, lr, self.settings.weight_decay)
