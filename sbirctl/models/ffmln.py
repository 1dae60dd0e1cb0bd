"""FFMLN: Feature Fusion and Metric Learning Network for Zero-Shot SBIR, Entropy 25(3), 2023.

Equation numbers are the paper's. What it leaves open, prints wrongly or does otherwise in the
authors' code is a setting; the card (ffmln.toml) gives the reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.config import Layer, setting
from sbirctl.core.errors import UsageError
from sbirctl.losses import (
    TERMS,
    classification,
    domain_triplets,
    ffmln_objective,
    normalised_softmax,
    third_of_gradient,
    weighted_sum,
)
from sbirctl.models import (
    MODELS,
    Model,
    ModelSettings,
    ParamGroup,
    Stage,
    WeightsRecord,
    card_presets,
)
from sbirctl.models._publishers import fetch_published
from sbirctl.models._weights import PRETRAINED, RANDOM, read_state, record_file
from sbirctl.models.layers.attention import AttentionMap
from sbirctl.models.layers.backbones import BackboneSettings
from sbirctl.models.layers.embedding_networks import AttentionNetwork, build_network
from sbirctl.models.layers.library_networks import build
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.sampling.plans import BalancedPlan, BatchPlan, PooledPlan
from sbirctl.store.manifest import Modality

VIT = "vit_base_patch16_224.augreg_in1k"  # ViT-B/16 trained on ImageNet-1k
Term = Literal["norm", "cls", "sin", "mul", "cro"]


@dataclass(frozen=True)
class FfmlnSettings(ModelSettings):
    """Network, losses and recipe; the defaults are the paper's."""

    network: Literal["amff", "vgg16", "cse-resnet50", "egff", "siamese-cnn"] = setting(
        "amff", help="the embedding networks of Table 5"
    )
    backbone: BackboneSettings = field(default_factory=lambda: BackboneSettings("auto"))
    freeze_bn: bool = setting(False, help="batch norm keeps its running statistics", kind="recipe")
    dim: int = setting(512, help="dimensions of the embedding; the paper has 512 and 64")
    levels: tuple[int, ...] = setting(
        (2, 3, 4),
        help="levels (resolutions) that amff and egff fuse, 4 the last",
        aliases=("stages",),
    )
    patch: int = setting(7, help="side of amff's patches in pixels of the map, at most its own")
    width: int = setting(768, help="dimensions of a token of amff's transformer")
    depth: int = setting(12, help="blocks of amff's transformer")
    heads: int = setting(12, help="attention heads of amff's transformer")
    fusion_weights: str = setting(
        "none",
        help="what amff's transformer starts from: none (random), pretrained (ViT-B/16, ImageNet)"
        " or a file of a ViT by timm's names",
    )
    descriptor: Literal["raw", "normalised"] = setting(
        "raw",
        help="parts of the descriptor as long as they come, or 1 long, with a projection whose"
        " outputs are about 1 long at first",
    )
    energy_guide: bool = setting(False, help="egff: the last level guides the energy of the others")
    terms: tuple[Term, ...] = setting(
        ("norm", "cls", "sin", "mul", "cro"), help="losses that take part (Table 3)", kind="loss"
    )
    objective: Literal["text", "eq9"] = setting(
        "text", help="eq9: without cro, as Eq. 9 prints it", kind="loss"
    )
    lambda_: float = setting(
        0.8, key="lambda", help="weight of all terms but norm, Eq. 9", kind="loss"
    )
    temperature: float = setting(0.05, help="temperature t of Eq. 5", above=0, kind="loss")
    margin: float = setting(
        0.2, help="margin of the triplet terms, Euclidean distance", kind="loss"
    )
    hinge: Literal["soft", "hard"] = setting(
        "soft", help="hinge of the triplet terms: soft (softplus) or hard", kind="loss"
    )
    beta: float = setting(20.0, help="sharpness of the soft hinge", kind="loss")
    weighting: Literal["gradient", "released", "none"] = setting(
        "gradient", help="how the triplet terms are weighted: gradient, none, released", kind="loss"
    )
    single_term: Literal["weighted", "released"] = setting(
        "weighted",
        help="one triplet term alone: as among others, or the authors' hard hinge with a third of"
        " the gradient",
        kind="loss",
    )
    mining: Literal["valid", "released"] = setting(
        "valid",
        help="released: an anchor may be its own positive, anchors without one count",
        kind="loss",
    )
    classifier_bias: bool = setting(
        True, help="whether the classifier has a bias, the beta of Eq. 6"
    )
    freeze_classifier: bool = setting(
        False, help="leave the classifier at its first values, as Algorithm 1's first line says"
    )
    sampling: Literal["balanced", "pooled"] = setting(
        "balanced", help="pooled: all images shuffled, whatever class and modality", kind="recipe"
    )
    per_class: int = setting(
        8, help="images of a class in a balanced batch, half of them sketches", kind="recipe"
    )
    frozen_epochs: int = setting(
        1, help="first epochs in which the backbone is not trained", kind="recipe"
    )
    schedule: Literal["constant", "cosine", "step"] = "constant"
    lr: float = setting(1e-5, help="learning rate of projection and classifier")
    lr_backbone: float = setting(1e-5, help="learning rate of the backbone", kind="recipe")
    lr_fusion: float = setting(
        1e-5, help="learning rate of patches, transformer and the like", kind="recipe"
    )
    lr_proxies: float = setting(1e-1, help="learning rate of the proxies of Eq. 5", kind="recipe")


@MODELS.register
class Ffmln(Model):
    """Siamese embedding network, linear projection, classifier, one proxy a training class."""

    name = "ffmln"
    check_settings: ClassVar[Layer] = {
        "backbone": "mobilenetv2_100", "size": 32, "dim": 8, "width": 16, "depth": 2, "heads": 2,
        "batch": 8, "per_class": 2,
    }  # fmt: skip
    Settings = FfmlnSettings
    presets: ClassVar[dict[str, Layer]] = {
        **card_presets("ffmln"),
        # Every learning rate, the frozen first epoch and the hinge are the defaults already.
        "released": {
            "backbone": "seresnet50.ra2_in1k",
            "lambda": 1.0,
            "weighting": "released",
            "mining": "released",
            "classifier_bias": False,
            "sampling": "pooled",
            "augment": "released",
            "val": "none",
        },
        # Little data or little time: a transformer that fits, rates that move it from scratch, a
        # descriptor that the losses turn quickly, as many classes a batch as it can hold (so no
        # two photos of one class, which L_sin needs), no L_cls, and less of the batch-hard
        # triplets, which can collapse the embeddings of the first epoch.
        "small": {
            "width": 192,
            "depth": 2,
            "heads": 4,
            "freeze_bn": True,
            "frozen_epochs": 0,
            "terms": ("norm", "mul", "cro"),
            "lambda": 0.2,
            "temperature": 0.2,
            "per_class": 2,
            "augment": "strong",
            "descriptor": "normalised",
            "mirror": True,
            "epochs": 4,
            "lr": 5e-4,
            "lr_backbone": 3e-4,
            "lr_fusion": 5e-4,
            "lr_proxies": 5e-2,
            "schedule": "cosine",
        },
    }

    def __init__(self, settings: FfmlnSettings, classes: tuple[str, ...] | None = None) -> None:
        super().__init__(settings, classes)
        self.network = build_network(
            settings.network,
            settings.backbone,
            settings.size,
            freeze_bn=settings.freeze_bn,
            levels=settings.levels,
            width=settings.width,
            depth=settings.depth,
            heads=settings.heads,
            patch=settings.patch,
            energy_guide=settings.energy_guide,
            normalised=settings.descriptor == "normalised",
        )
        self.dim = settings.dim
        self.projection = nn.Linear(self.network.width, self.dim)
        if settings.descriptor == "normalised":
            parts = len(self.network.numbers) + isinstance(self.network, AttentionNetwork)
            nn.init.normal_(self.projection.weight, std=(parts * self.dim) ** -0.5)
            nn.init.zeros_(self.projection.bias)
        wanted = [t for t in settings.terms if settings.objective == "text" or t != "cro"]
        if not wanted:
            raise UsageError("terms= leaves no loss.", "Take norm, cls, sin, mul or cro.")
        self.terms = frozenset(wanted)
        if classes is not None:
            if "cls" in self.terms:
                bias = settings.classifier_bias
                self.classifier = nn.Linear(self.dim, len(classes), bias=bias)
            if "norm" in self.terms:
                self.proxies = nn.Parameter(torch.randn(len(classes), self.dim))

    def load_weights(self, weights: str) -> WeightsRecord:
        """See `Model.load_weights`; they are the backbone's. AMFF's transformer starts from
        `fusion_weights`, all else random."""
        record = self.network.backbone.load_weights(weights)
        chosen = self.settings.fusion_weights
        if chosen == RANDOM or not isinstance(self.network, AttentionNetwork):
            return record
        if chosen == PRETRAINED:
            known = build(BackboneSettings(VIT))
            path, vit = fetch_published(known.library, VIT, known.net)
            state = read_state(path)
        else:
            path = Path(chosen).expanduser()
            state, vit = read_state(path), record_file(path)
        self.network.transformer.load_vit(state, vit.name)
        about = f"{vit.name} ({vit.sha256[:12]})"
        return WeightsRecord(f"{record.name}, AMFF from {about}", record.sha256)

    def remarks(self, stored: int) -> list[str]:
        """See `Model.remarks`; also which share of a level AMFF sees."""
        return [*super().remarks(stored), *self.network.remarks()]

    def expected_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """See `Model.expected_normalisation`."""
        return self.network.backbone.normalisation()

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim), not yet normalised."""
        is_sketch = torch.full((images.shape[0],), modality == "sketch", device=images.device)
        return self.projection(self.network(images, is_sketch))

    def encode(self, batch: Batch) -> Encoded:
        """Photos and sketches through the one network in one pass; `logits` of Eq. 6 in extra."""
        photo = self._ready(batch.images("photo"), "photo")
        sketch = self._ready(batch.images("sketch"), "sketch")
        count = len(photo)
        is_sketch = torch.arange(count + len(sketch), device=photo.device) >= count
        projected = self.projection(self.network(torch.cat([photo, sketch]), is_sketch))
        both = F.normalize(projected.float(), dim=-1)
        extra = {"logits": self.classifier(projected)} if hasattr(self, "classifier") else {}
        return Encoded(photo=both[:count], sketch=both[count:], extra=extra)

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Eq. 5 (`norm`), 6 (`cls`), 3, 4, 8 (`sin`, `mul`, `cro`), their weighted sum
        (`triplets`) and Eq. 9 (`total`)."""
        options = self.settings
        embeddings = torch.cat([encoded.embeddings("photo"), encoded.embeddings("sketch")])
        labels = torch.cat([batch.photo_label, batch.sketch_label])
        is_sketch = torch.arange(len(labels), device=labels.device) >= len(batch.photo_label)
        found: dict[str, Tensor] = {}
        if "norm" in self.terms:
            found["norm"] = normalised_softmax(
                embeddings, self.proxies, labels, temperature=options.temperature
            )
        if "cls" in self.terms:
            found["cls"] = classification(encoded.extra["logits"], labels)
        if chosen := [term for term in TERMS if term in self.terms]:
            alone = len(chosen) == 1 and options.single_term == "released"
            triplets = domain_triplets(
                embeddings,
                labels,
                is_sketch,
                terms=chosen,
                margin=options.margin,
                kind="hard" if alone else options.hinge,
                beta=options.beta,
                released_mining=options.mining == "released",
            )
            found |= {term: triplets[term].loss for term in chosen}
            gradients = torch.stack([triplets[term].gradient for term in chosen])
            values = torch.stack([triplets[term].loss for term in chosen])
            present = torch.stack([triplets[term].anchors for term in chosen]) > 0
            found["triplets"] = (
                third_of_gradient(values.sum())
                if alone
                else weighted_sum(values, gradients, options.weighting, present)
            )
        none = embeddings.sum() * 0
        norm, cls, pairs = (found.get(name, none) for name in ("norm", "cls", "triplets"))
        return {**found, "total": ffmln_objective(norm, cls, pairs, options.lambda_)}

    def recipe(self) -> Sequence[Stage]:
        """One stage; backbone, fusion, projection with classifier, and proxies have their rates."""
        if self.classes is None:
            raise UsageError("A model made without training classes cannot be trained.")
        options = self.settings
        rates = {"backbone": options.lr_backbone, "proxies": options.lr_proxies}
        groups = {"backbone": self.network.backbone.trained()}
        for name, params in self.network.parts().items():
            groups[name] = params
            rates[name] = options.lr_fusion
        groups["projection"] = list(self.projection.parameters())
        if "cls" in self.terms and not options.freeze_classifier:
            groups["classifier"] = list(self.classifier.parameters())
        if "norm" in self.terms:
            groups["proxies"] = [self.proxies]
        made = [
            ParamGroup(name, params, rates.get(name, options.lr), options.weight_decay)
            for name, params in groups.items()
            if params
        ]
        frozen = {"backbone": options.frozen_epochs}
        return (Stage("train", options.epochs, self._plan(), made, frozen),)

    def attention(self, images: Tensor, modality: Modality) -> list[AttentionMap]:
        """Per fused level its activation energy and, with AMFF, what the class token attends to.

        Args:
            images: (n, 1 or 3, H, W) uint8.
        """
        network = self.network
        found = []
        maps = network.maps(self.preprocess(images, modality))
        for index, (number, own) in enumerate(zip(network.numbers, maps, strict=True)):
            cls = None
            if isinstance(network, AttentionNetwork):
                cls = network.cls_attention(index, own)
            found.append(AttentionMap(f"level {number}", own.float().square().mean(1), cls))
        return found

    def _ready(self, images: Tensor, modality: Modality) -> Tensor:
        if len(images):
            return self.preprocess(images, modality)
        side = self.settings.size  # a pooled batch may lack a modality
        return torch.zeros(0, 3, side, side, device=images.device)

    def _plan(self) -> BatchPlan:
        if self.settings.sampling == "pooled":
            return PooledPlan(self.settings.batch)
        return BalancedPlan(batch=self.settings.batch, per_class=self.settings.per_class)
