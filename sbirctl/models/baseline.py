"""Siamese baseline: one network for sketches and photos, normalised softmax over the classes.

Zhai & Wu, "Classification is a Strong Baseline for Deep Metric Learning", BMVC 2019. Without
training classes (embedding as it is) the pooled features of the backbone are the embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.config import Layer, setting
from sbirctl.core.errors import UsageError
from sbirctl.losses import (
    LOSSES,
    Loss,
    NormalisedSoftmaxLoss,
    TripletLoss,
    batch_hard_triplet,
    normalised_softmax,
)
from sbirctl.models import (
    MODELS,
    Augmentation,
    Model,
    ModelSettings,
    ParamGroup,
    Stage,
    WeightsRecord,
)
from sbirctl.models.layers.backbones import BackboneSettings
from sbirctl.models.layers.library_networks import build
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.sampling.plans import BalancedPlan
from sbirctl.store.manifest import MODALITIES, Modality

# Of 12 blocks, each a level; its positions are resampled from 518 pixels.
_DINOV2: Layer = {"name": "vit_small_patch14_dinov2.lvd142m", "img_size": 224}


@dataclass(frozen=True)
class BaselineSettings(ModelSettings):
    """What the baseline adds to the settings of all models."""

    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    level: int = setting(
        0, help="feature map that is embedded, 1 the finest; 0: the network's own pooled features"
    )
    grid: int = setting(
        1,
        help="side of the grid of cells a feature map is averaged over; beyond 1 the embedding"
        " knows where in the picture something is",
    )
    modality_norm: bool = setting(
        False, help="batch norm of photos' features and of sketches' apart, before the projection"
    )
    dim: int = setting(512, help="dimensions of the embedding, 0: the pooled features themselves")
    freeze_bn: bool = setting(True, help="batch norm keeps its running statistics", kind="recipe")
    loss: str = setting(
        NormalisedSoftmaxLoss.name,
        help="what is trained with, see docs/adding-a-loss.md",
        kind="loss",
    )
    temperature: float = setting(
        0.2,
        help="temperature t of the softmax (0.05 in the paper) or of the loss",
        above=0,
        kind="loss",
    )
    triplet: float = setting(0.0, help="weight of the batch-hard triplet loss", kind="loss")
    margin: float = setting(
        0.2, help="margin of the triplet loss or of the chosen one, a distance", kind="loss"
    )
    per_class: int = setting(
        2, help="images of a class in a batch, half of them sketches", kind="recipe", least=2
    )
    augment: Augmentation = "strong"
    mirror: bool = setting(True, help="embed an image and its mirror image, take the mean")
    embed_size: int = setting(
        0,
        help="side of the square input in embedding, in pixels; 0: size; a little more finds more",
        kind="input",
    )
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
    check_settings: ClassVar[Layer] = {
        "backbone": "mobilenetv2_100", "size": 32, "dim": 8, "triplet": 0.5, "batch": 8,
        "per_class": 2, "mirror": False,
    }  # fmt: skip
    Settings = BaselineSettings
    embedding_settings = ("mirror", "embed_size")
    presets: ClassVar[dict[str, Layer]] = {
        # Little data or little time, over a light backbone: the levels that see lines stay as they
        # are, which halves a step, and embedding takes larger pictures than training.
        "small": {"size": 128, "embed_size": 160, "backbone": {"freeze": 3}},
        # Which photo, not which class: where in the picture something is counts, and a mirror
        # image is another thing. Small data: nothing but projection and proxies is trained.
        "fine": {
            "backbone": {"freeze": 4},
            "level": 4,
            "grid": 4,
            "modality_norm": True,
            "augment": "none",
            "mirror": False,
            "epochs": 12,
        },
        # A self-supervised transformer; untrained, its class token is the embedding.
        "dinov2-frozen": {"backbone": {**_DINOV2, "freeze": 12}, "mirror": False},
        "dinov2-tuned": {
            "backbone": {**_DINOV2, "freeze": 8},
            "mirror": False,
            "lr_backbone": 1e-5,
        },
    }

    def __init__(self, settings: BaselineSettings, classes: tuple[str, ...] | None = None) -> None:
        super().__init__(settings, classes)
        self.backbone = build(settings.backbone, freeze_bn=settings.freeze_bn)
        width = self._width()
        # What lies behind the map is not used, and so not trained.
        self._used = self.backbone.ahead_of(settings.level) if settings.level else None
        # Chang et al., "Domain-Specific Batch Normalization", CVPR 2019, without scale and shift.
        self.norms = nn.ModuleDict(
            {name: nn.BatchNorm1d(width, affine=False) for name in MODALITIES}
            if settings.modality_norm
            else {}
        )
        # An untrained projection would only blur the features, so without classes there is none.
        projects = classes is not None and settings.dim > 0
        self.dim = settings.dim if projects else width
        self.projection = nn.Linear(width, self.dim) if projects else nn.Identity()
        self.loss: Loss | None = None  # another one than the normalised softmax
        if classes is not None and settings.loss != NormalisedSoftmaxLoss.name:
            self.loss = self._other_loss(len(classes))
        elif classes is not None:
            # Unit variance, not unit norm: the loss ignores the norm, an optimiser's step does not.
            self.proxies = nn.Parameter(torch.randn(len(classes), self.dim))

    @property
    def side(self) -> int:
        """See `Model.side`; Touvron et al., "Fixing the train-test resolution discrepancy",
        NeurIPS 2019."""
        options = self.settings
        return int(options.size if self.training else options.embed_size or options.size)

    def load_weights(self, weights: str) -> WeightsRecord:
        """See `Model.load_weights`; the weights are the backbone's."""
        return self.backbone.load_weights(weights)

    def expected_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """See `Model.expected_normalisation`."""
        return self.backbone.normalisation()

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim), not yet normalised."""
        return self.projection(self._normed(self._pooled(images), modality))

    def encode(self, batch: Batch) -> Encoded:
        """Photos and sketches through the one network in one pass."""
        photo = self.preprocess(batch.images("photo"), "photo")
        sketch = self.preprocess(batch.images("sketch"), "sketch")
        pooled = self._pooled(torch.cat([photo, sketch]))
        normed = [
            self._normed(pooled[: len(photo)], "photo"),
            self._normed(pooled[len(photo) :], "sketch"),
        ]
        both = F.normalize(self.projection(torch.cat(normed)).float(), dim=-1)
        return Encoded(photo=both[: len(photo)], sketch=both[len(photo) :])

    def _pooled(self, images: Tensor) -> Tensor:
        """(n, width) features of both modalities alike."""
        options = self.settings
        if not options.level:
            return self.backbone(images)
        found = self.backbone.feature_map(images, options.level)
        return F.adaptive_avg_pool2d(found, options.grid).flatten(1)

    def _normed(self, pooled: Tensor, modality: Modality) -> Tensor:
        return self.norms[modality](pooled) if self.norms else pooled

    def _width(self) -> int:
        """Number of features before the projection."""
        options = self.settings
        if options.level:
            shapes = self.backbone.shapes(options.size)
            if not 0 < options.level <= len(shapes):
                raise UsageError(
                    f"level={options.level}, but {options.backbone.name} has {len(shapes)} levels.",
                    f"Take a number from 0 to {len(shapes)}.",
                )
            channels, side = shapes[options.level - 1]
            if not 0 < options.grid <= side:
                raise UsageError(
                    f"grid={options.grid}, but the map of level {options.level} has {side} x"
                    f" {side} cells at {options.size} pixels.",
                    f"Take a number from 1 to {side}.",
                )
            return channels * options.grid**2
        if options.grid != 1:
            raise UsageError(f"grid={options.grid} needs a feature map.", "Name one: --set level=…")
        return self.backbone.width

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """`softmax` or the chosen loss by its name, `triplet` where it has a weight, `total`."""
        embeddings = torch.cat([encoded.embeddings("photo"), encoded.embeddings("sketch")])
        labels = torch.cat([batch.photo_label, batch.sketch_label])
        options = self.settings
        if self.loss is not None:
            is_sketch = torch.arange(len(labels), device=labels.device) >= len(batch.photo_label)
            found = {options.loss: self.loss(embeddings, labels, is_sketch)}
        else:
            found = {
                "softmax": normalised_softmax(
                    embeddings, self.proxies, labels, temperature=options.temperature
                )
            }
        (total,) = found.values()
        if options.triplet:
            triplet = batch_hard_triplet(embeddings, labels, margin=options.margin)
            found["triplet"], total = triplet, total + options.triplet * triplet
        return {**found, "total": total}

    def recipe(self) -> Sequence[Stage]:
        """One stage; backbone, embedding layer and proxies have learning rates of their own."""
        if self.classes is None:
            raise UsageError("A model made without training classes cannot be trained.")
        options = self.settings
        proxies = [self.proxies] if self.loss is None else list(self.loss.parameters())
        groups = [
            self._group("backbone", self.backbone.trained(self._used), options.lr_backbone),
            self._group("projection", list(self.projection.parameters()), options.lr),
            self._group("proxies", proxies, options.lr_proxies),
        ]
        plan = BalancedPlan(batch=options.batch, per_class=options.per_class)
        return (Stage("train", options.epochs, plan, [g for g in groups if g.params]),)

    def _other_loss(self, classes: int) -> Loss:
        """The loss by its name, with the settings it knows; one without effect is refused."""
        options, loss = self.settings, LOSSES.get(self.settings.loss)
        if options.loss == "total" or (options.triplet and options.loss == TripletLoss.name):
            raise UsageError(
                f"loss={options.loss} and another term would have one name in the log.",
                "Leave out triplet=…, or train with another loss.",
            )
        given = {name: getattr(options, name) for name in ("margin", "temperature")}
        changed = {name for name in given if given[name] != getattr(BaselineSettings, name)}
        needed = changed - ({"margin"} if options.triplet else set())
        return loss.with_settings(self.dim, classes, given, needed)

    def _group(self, name: str, params: list[nn.Parameter], lr: float) -> ParamGroup:
        return ParamGroup(name, params, lr, self.settings.weight_decay)
