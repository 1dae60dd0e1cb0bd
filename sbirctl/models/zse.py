"""ZSE-SBIR: Zero-Shot Everything Sketch-Based Image Retrieval, Lin et al., CVPR 2023.

A retrieval token embeds an image by itself (`Ret`); the tokens of a sketch and of a photo that have
looked at each other give the pair a score (`RN`), for `rerank --method pairs`. What the released
code alone tells is on the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from sbirctl.core.config import Layer, setting
from sbirctl.core.errors import UsageError
from sbirctl.losses import at_least_float32
from sbirctl.models import (
    MODELS,
    Augmentation,
    ModelSettings,
    PairModel,
    ParamGroup,
    Stage,
    WeightsRecord,
    card_presets,
)
from sbirctl.models._weights import RANDOM, load_state
from sbirctl.models.layers.backbones import BackboneSettings
from sbirctl.models.layers.cross_attention import CrossAttention
from sbirctl.models.layers.library_networks import build
from sbirctl.models.layers.token_relation import Grid, TokenRelation
from sbirctl.models.layers.token_vit import TokenViT
from sbirctl.models.layers.zse_checkpoint import released_state
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.sampling.tuple_plans import QuadrupletPlan
from sbirctl.store.manifest import Modality

HALF = (0.5, 0.5, 0.5)
VIT = "vit_base_patch16_224.sam_in1k"


@dataclass(frozen=True)
class ZseSettings(ModelSettings):
    """Network, losses and recipe; the defaults are those of the released code but for `grid`."""

    backbone: BackboneSettings = field(default_factory=lambda: BackboneSettings(VIT))
    dropout: float = setting(0.1, help="share dropped in transformer, cross-attention and relation")
    cross_layers: int = setting(1, help="layers of cross-attention", least=1)
    cross_heads: int = setting(8, help="attention heads of a layer", least=1)
    cross_hidden: int = setting(1024, help="numbers of its feed-forward layer", least=1)
    pooled: int = setting(512, help="numbers of a pooled token", least=1)
    grid: Grid = setting(
        "map",
        help="how tokens are pooled: laid out as their patches are, or as the code reads them",
    )
    margin: float = setting(1.0, help="margin of the triplets of retrieval tokens")
    triplet_weight: float = setting(2.0, help="weight of the triplets")
    relation_weight: float = setting(4.0, help="weight of the relation's squared error")
    soften: float = setting(0.01, help="targets of the relation are this and one less this")
    mean: tuple[float, ...] = setting(HALF, help="mean of the inputs, of 0..1")
    std: tuple[float, ...] = setting(HALF, help="standard deviation of the inputs, of 0..1")
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = setting(1e-5, help="learning rate of everything", kind="recipe")
    weight_decay: float = setting(1e-2, help="weight decay of the optimizer", kind="recipe")
    schedule: Literal["constant", "cosine", "step"] = "constant"
    batch: int = setting(15, help="tuples of one step: two pairs each", kind="recipe", least=1)
    epochs: int = setting(30, help="passes over the training sketches", kind="recipe", least=1)
    augment: Augmentation = setting("none", help="none, flip, standard or strong", kind="recipe")


@MODELS.register
class Zse(PairModel):
    """Transformer with a retrieval token, cross-attention of token sets, relation network."""

    name = "zse"
    check_settings: ClassVar[Layer] = {
        "backbone": {
            "name": "vit_tiny_patch16_224", "img_size": 64, "depth": 2, "embed_dim": 32,
            "num_heads": 2,
        },
        "size": 64, "batch": 4, "cross_heads": 2, "cross_hidden": 32, "pooled": 16,
    }  # fmt: skip
    Settings = ZseSettings
    presets: ClassVar[dict[str, Layer]] = {
        **card_presets("zse"),
        # The code's own choice of the epoch, by the unseen test classes, is never made here.
        "released": {"grid": "released", "val": "none", "precision": "fp32"},
        # Little data or little time: a transformer of six million, from random values if need be.
        "small": {
            "backbone": {"name": "vit_tiny_patch16_224", "img_size": 64},
            "size": 64,
            "cross_heads": 3,
            "cross_hidden": 256,
            "pooled": 64,
            "margin": 0.5,
            "lr": 3e-4,
            "schedule": "cosine",
            "augment": "flip",
            "epochs": 4,
        },
    }

    def __init__(self, settings: ZseSettings, classes: tuple[str, ...] | None = None) -> None:
        super().__init__(settings, classes)
        self.encoder = TokenViT(build(settings.backbone), settings.dropout)
        self.dim = width = self.encoder.width
        if width % settings.cross_heads:
            raise UsageError(
                f"cross_heads={settings.cross_heads} does not divide {width}.", "Take a divisor."
            )
        self.cross = CrossAttention(
            width,
            settings.cross_heads,
            settings.cross_hidden,
            settings.cross_layers,
            settings.dropout,
        )
        self.relation = TokenRelation(
            width, self.encoder.grid, settings.pooled, settings.grid, settings.dropout
        )

    def load_weights(self, weights: str) -> WeightsRecord:
        """See `Model.load_weights`; they are the transformer's, or a checkpoint of the authors'
        code with everything."""
        if weights == RANDOM:
            return WeightsRecord()
        state, record = self.encoder.backbone.read_weights(weights)
        if released := released_state(state):
            load_state(self, released, source=record.name)
            return record
        self.encoder.backbone.fill(state, record)
        return record

    def expected_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """See `Model.expected_normalisation`."""
        return self.encoder.backbone.normalisation()

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim): the retrieval token."""
        found: Tensor = self.encoder(images)[:, 0]
        return found

    def encode(self, batch: Batch) -> Encoded:
        """Photos and sketches in one pass; in extra their tokens (`tokens`)."""
        photo = self.preprocess(batch.images("photo"), "photo")
        sketch = self.preprocess(batch.images("sketch"), "sketch")
        tokens = self.encoder(torch.cat([photo, sketch]))
        both = F.normalize(tokens[:, 0].float(), dim=-1)
        count = len(photo)
        return Encoded(photo=both[:count], sketch=both[count:], extra={"tokens": tokens})

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Triplets of the retrieval tokens after cross-attention (`triplet`), squared error of the
        pairs' scores (`relation`), and `total`.

        A tuple's first sketch is paired with the photo of its class, its second sketch, of the
        same class, with the photo of another.
        """
        options, tuples = self.settings, batch.tuple_rows()
        photos, sketches = encoded.extra["tokens"].split(
            [len(encoded.embeddings("photo")), len(encoded.embeddings("sketch"))]
        )
        first, near, far, second = tuples.unbind(1)
        sketch, photo, score = self._pairs(
            sketches[torch.cat([first, second])], photos[torch.cat([near, far])]
        )
        count = len(tuples)
        triplet = F.triplet_margin_loss(
            at_least_float32(sketch[:count]),
            at_least_float32(photo[:count]),
            at_least_float32(photo[count:]),
            margin=options.margin,
        )
        wanted = torch.full_like(score, options.soften)
        wanted[:count] = 1 - options.soften
        relation = F.mse_loss(score, wanted)
        total = options.triplet_weight * triplet + options.relation_weight * relation
        return {"triplet": triplet, "relation": relation, "total": total}

    def recipe(self) -> Sequence[Stage]:
        """One stage over tuples; everything has one learning rate."""
        if self.classes is None:
            raise UsageError("A model made without training classes cannot be trained.")
        options = self.settings
        parts = {
            "transformer": self.encoder.backbone.trained(),
            "stem": list(self.encoder.stem.parameters()),
            "cross": list(self.cross.parameters()),
            "relation": list(self.relation.parameters()),
        }
        groups = [ParamGroup(n, p, options.lr, options.weight_decay) for n, p in parts.items()]
        plan = QuadrupletPlan(
            batch=options.batch,
            same_category=any("/" in name for name in self.classes),
            second_sketch="own",
        )
        return (Stage("train", options.epochs, plan, groups),)

    def tokens(self, images: Tensor, modality: Modality) -> Tensor:
        """See `PairModel.tokens`."""
        with torch.no_grad(), self.autocast():
            found: Tensor = self.encoder(self.preprocess(images, modality))
        return found.float()

    def pair_scores(self, sketch: Tensor, photo: Tensor) -> Tensor:
        """See `PairModel.pair_scores`."""
        with torch.no_grad(), self.autocast():
            return self._pairs(sketch, photo)[2].float()

    def _pairs(self, sketch: Tensor, photo: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Retrieval tokens of both sides after cross-attention, and the scores."""
        sketch, photo = self.cross(sketch, photo)
        return sketch[:, 0], photo[:, 0], self.relation(sketch[:, 1:], photo[:, 1:])
