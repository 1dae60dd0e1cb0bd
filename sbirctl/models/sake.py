"""SAKE: Semantic-Aware Knowledge prEservation for zero-shot SBIR, Liu et al., ICCV 2019.

One network for sketches and photos learns the training classes and goes on giving, for photos, the
ImageNet labels that its frozen teacher gives. What the released code alone tells is on the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.config import Layer, setting
from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.core.home import home
from sbirctl.losses import classification, label_preservation
from sbirctl.models import (
    MODELS,
    Model,
    ModelSettings,
    ParamGroup,
    Stage,
    WeightsRecord,
    card_presets,
)
from sbirctl.models._weights import RANDOM
from sbirctl.models.layers.backbones import BackboneSettings
from sbirctl.models.layers.conditioned_se import ConditionedSE
from sbirctl.models.layers.label_similarity import LABELS, Semantics, label_similarity
from sbirctl.models.layers.label_teacher import LabelTeacher, factorised
from sbirctl.models.layers.library_networks import build
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.sampling.share_plan import SharePlan
from sbirctl.store.manifest import Modality

_TEACHER = "teacher."
SE_RESNET = "legacy_seresnet50"  # with the strides and pooling of Caffe, as Cadene published it


@dataclass(frozen=True)
class SakeSettings(ModelSettings):
    """Network, losses and recipe; the defaults are those of the paper and its code."""

    backbone: BackboneSettings = field(default_factory=lambda: BackboneSettings(SE_RESNET))
    conditional: bool = setting(
        True, help="a bit in every squeeze-and-excitation block says that the image is a photo"
    )
    freeze_bn: bool = setting(False, help="batch norm keeps its running statistics", kind="recipe")
    dim: int = setting(512, help="dimensions of the embedding; the code has 512 and 64", least=1)
    start: Literal["teacher", "random"] = setting(
        "teacher",
        help="embedding and label layer start as the best two factors of the teacher's classifier,"
        " or random",
    )
    semantics: Semantics = setting(
        "wordnet", help="how near a class is to a label: by WordNet, by names alone, or none"
    )
    least_similarity: float = setting(0.2, help="similarities of paths not above this are 0")
    lambda_teacher: float = setting(1.0, help="what the teacher's logits are multiplied with")
    lambda_semantics: float = setting(0.3, help="weight of the similarity beside those logits")
    lambda_sake: float = setting(1.0, help="weight of the preserved labels in the sum")
    sketch_share: float = setting(
        1 / 3, help="share of sketches in a batch; the code has 0.1 for TU-Berlin", kind="recipe"
    )
    optimizer: Literal["adamw", "adam", "sgd"] = "adam"
    schedule: Literal["constant", "cosine", "step", "drop", "exponential"] = "exponential"
    batch: int = setting(
        40, help="images of a step; of which whole thirds (sketch_share) are taken", kind="recipe"
    )
    epochs: int = setting(20, help="passes over the smaller side", kind="recipe", least=1)


@MODELS.register
class Sake(Model):
    """Conditioned network, embedding layer, two classifiers, frozen teacher."""

    name = "sake"
    check_settings: ClassVar[Layer] = {
        "backbone": "legacy_seresnet18", "size": 32, "dim": 8, "batch": 12, "semantics": "none",
    }  # fmt: skip
    Settings = SakeSettings
    presets: ClassVar[dict[str, Layer]] = {
        **card_presets("sake"),
        # The code's own choice of the epoch, by seen classes, needs images this task leaves out.
        "released": {"val": "none", "precision": "fp32", "resize": "bilinear"},
        # Little data or little time: a network of 12 million, names in WordNet's place.
        "small": {
            "backbone": "legacy_seresnet18",
            "size": 64,
            "dim": 64,
            "semantics": "names",
            "freeze_bn": True,
            "sketch_share": 0.5,
            "lr": 5e-4,
            "epochs": 6,
        },
    }

    def __init__(self, settings: SakeSettings, classes: tuple[str, ...] | None = None) -> None:
        super().__init__(settings, classes)
        self.backbone = build(settings.backbone, freeze_bn=settings.freeze_bn)
        if getattr(self.backbone.net, "drop_rate", 0.0):  # timm drops a fifth of the features
            self.backbone.net.drop_rate = 0.0
        self.bits = ConditionedSE(self.backbone) if settings.conditional else None
        self.dim = settings.dim
        if settings.start == "teacher" and self.dim > min(LABELS, self.backbone.width):
            raise UsageError(
                f"dim={self.dim} is more than the teacher's classifier can start.",
                f"Take at most {min(LABELS, self.backbone.width)}, or --set start=random.",
            )
        self.embedding = nn.Linear(self.backbone.width, self.dim)
        self._similarity: Tensor | None = None
        if classes is not None:
            self.labels = nn.Linear(self.dim, LABELS)
            self.classifier = nn.Linear(self.dim, len(classes))
            self.teacher = LabelTeacher(build(settings.backbone), LABELS)

    def load_weights(self, weights: str) -> WeightsRecord:
        """See `Model.load_weights`; they are the student's and, with their classifier, the
        teacher's."""
        if weights == RANDOM:
            return WeightsRecord()
        state, record = self.backbone.read_weights(weights)
        self.backbone.fill(state, record)
        if self.classes is None:
            return record
        self.teacher.backbone.fill(state, record)
        classifier = _classifier_in(state, self.backbone.classifier)
        if classifier is None or len(classifier[1]) != LABELS:
            raise MismatchError(
                f"{record.name} holds no classifier of ImageNet's {LABELS} labels, which the"
                " teacher needs.",
                "Give weights trained on ImageNet-1k with their classifier.",
            )
        with torch.no_grad():
            self.teacher.classifier.weight.copy_(classifier[0])
            self.teacher.classifier.bias.copy_(classifier[1])
            if self.settings.start == "teacher":
                first, second = factorised(classifier[0].float(), self.dim)
                self.embedding.weight.copy_(first)
                self.labels.weight.copy_(second)
        return record

    def expected_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """See `Model.expected_normalisation`."""
        return self.backbone.normalisation()

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim), not yet normalised."""
        is_photo = torch.full((len(images),), modality == "photo", device=images.device)
        return self._embedded(images, is_photo)

    def encode(self, batch: Batch) -> Encoded:
        """Photos and sketches in one pass; in extra the logits of the classes (`logits`), and of
        the photos those of ImageNet's labels, ours (`labels`) and the teacher's (`teacher`)."""
        photo = self.preprocess(batch.images("photo"), "photo")
        sketch = self.preprocess(batch.images("sketch"), "sketch")
        count = len(photo)
        is_photo = torch.arange(count + len(sketch), device=photo.device) < count
        found = self._embedded(torch.cat([photo, sketch]), is_photo)
        both = F.normalize(found.float(), dim=-1)
        extra = {
            "logits": self.classifier(found),
            "labels": self.labels(found[:count]),
            "teacher": self.teacher(photo),
        }
        return Encoded(photo=both[:count], sketch=both[count:], extra=extra)

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Cross-entropy of the classes (`cls`), the photos' preserved labels (`sake`), `total`."""
        options = self.settings
        near = self._label_similarity()[batch.photo_label]
        target = options.lambda_teacher * encoded.extra["teacher"] + options.lambda_semantics * near
        labels = torch.cat([batch.photo_label, batch.sketch_label])
        cls = classification(encoded.extra["logits"], labels)
        sake = label_preservation(encoded.extra["labels"], target)
        return {"cls": cls, "sake": sake, "total": cls + options.lambda_sake * sake}

    def recipe(self) -> Sequence[Stage]:
        """One stage over batches of fixed shares; all has one learning rate."""
        if self.classes is None:
            raise UsageError("A model made without training classes cannot be trained.")
        options = self.settings
        parts = {
            "backbone": self.backbone.trained(),
            "bits": list(self.bits.parameters()) if self.bits else [],
            "embedding": list(self.embedding.parameters()),
            "labels": list(self.labels.parameters()),
            "classifier": list(self.classifier.parameters()),
        }
        groups = [ParamGroup(n, p, options.lr, options.weight_decay) for n, p in parts.items() if p]
        share = options.sketch_share
        if not 0 < share < 1:
            raise UsageError(f"sketch_share={share} leaves a side out.", "Take 0.5, for one.")
        sketches = int(options.batch * share + 1e-6)
        plan = SharePlan(sketches, round(sketches * (1 - share) / share))
        return (Stage("train", options.epochs, plan, groups),)

    def begin(self, stage: str) -> None:
        """See `Model.begin`; what the similarities need is missed here, before the first step."""
        self._label_similarity()

    def load_checkpoint_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back all but the teacher, who is not in a checkpoint.

        Raises:
            RuntimeError: a tensor is missing or unknown.
        """
        missing, unknown = self.load_state_dict(dict(state), strict=False)
        missing = [name for name in missing if not name.startswith(_TEACHER)]
        if missing or unknown:
            raise RuntimeError(f"missing: {missing}, unknown: {unknown}")

    def _embedded(self, images: Tensor, is_photo: Tensor) -> Tensor:
        with self.bits.given(is_photo) if self.bits else nullcontext():
            found: Tensor = self.embedding(self.backbone(images))
        return found

    def _label_similarity(self) -> Tensor:
        """(classes, 1000), made at its first use: embedding does without."""
        device = self._mean.device
        if self._similarity is None:
            options = self.settings
            self._similarity = label_similarity(
                self.classes or (),
                options.semantics,
                home() / "wordnet",
                options.least_similarity,
            )
        if self._similarity.device != device:
            self._similarity = self._similarity.to(device)
        return self._similarity


def _classifier_in(
    state: Mapping[str, Tensor], names: tuple[str, ...]
) -> tuple[Tensor, Tensor] | None:
    """(classes, width) weight and (classes,) bias of the first layer of these names in a network's
    tensors; None where they hold none."""
    for name in names:
        weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
        if weight is not None and bias is not None:
            return weight.flatten(1), bias
    return None
