"""Dr. CLIP: CLIP-Driven Universal Framework for Zero-Shot Sketch Image Retrieval, ACM MM 2024.

Equation numbers are the paper's. What it leaves open, or prints with the signs exchanged, is a
setting whose default is named in the card (drclip.toml) together with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from sbirctl.core.config import Layer, setting
from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.losses import (
    Direction,
    ShiftMean,
    class_logits,
    classification,
    cosine_triplet,
    distribution_shift,
    domain_balanced_quadruplet,
    drclip_objective,
    embedding_shift,
    pair_relation,
)
from sbirctl.models import (
    MODELS,
    Augmentation,
    Stage,
    card_presets,
)
from sbirctl.models._prompted import PromptedModel
from sbirctl.models._recipe import IMAGENET_MEAN, IMAGENET_STD
from sbirctl.models.layers.cduf_checkpoint import parse_cduf
from sbirctl.models.layers.class_texts import FineGrained
from sbirctl.models.layers.clip_towers import (
    SMALL_CLIP,
    ClipSettings,
)
from sbirctl.models.layers.prompted_clip import PromptedEncoder, TrainedPart
from sbirctl.sampling.batch import Batch, Encoded, Side
from sbirctl.sampling.tuple_plans import QuadrupletPlan
from sbirctl.store.manifest import Modality

_REFERENCE_BLOCK = 32


@dataclass(frozen=True)
class DrClipSettings(ClipSettings):
    """Architecture, losses and recipe; the defaults are the paper's."""

    prompts: int = setting(3, help="number of prompt tokens of each modality")
    prompt_position: Literal["after", "before"] = setting(
        "after", help="prompts after [CLS, patches], or before, with read-out at the first prompt"
    )
    branches: int = setting(2, help="branches; 1: sketches and photos share the LayerNorms too")
    train: tuple[TrainedPart, ...] = setting(
        ("norms", "prompts"), help="what is trained: norms, prompts, proj, attention, embeddings"
    )
    temperature: float = setting(0.01, help="temperature t of Eqs. 1 and 4", above=0, kind="loss")
    cls_weight: float = setting(1.0, help="weight of Eqs. 2 and 3", kind="loss")
    lambda1: float = setting(
        15.0, help="weight of L_FS, Eq. 5; 0: without the reference", kind="loss"
    )
    lambda2: float = setting(4.0, help="weight of L_DBQ, Eq. 12", kind="loss")
    lambda3: float = setting(4.0, help="weight of L_RP, Eq. 12", kind="loss")
    margin: float = setting(0.3, help="margin m of Eqs. 6 and 7, a distance", kind="loss")
    negative_sketch: bool = setting(
        True, help="Eq. 7; false: photos are the only negatives", kind="loss"
    )
    fs_direction: Direction = setting(
        "frozen-trained",
        help="Eq. 4: KL(frozen || trained); trained-frozen: KL(trained || frozen), as printed",
        kind="loss",
    )
    fs_mean: ShiftMean = setting(
        "classes",
        help="mean of Eq. 4: over images and classes, or images alone, as printed",
        kind="loss",
    )
    fs_temperature: Literal["eq1", "none"] = setting(
        "eq1", help="temperature of Eq. 4: that of Eq. 1, or none, as printed", kind="loss"
    )
    fs_l1: float = setting(
        0.0, help="weight of the embeddings' L1 distance within L_FS", kind="loss"
    )
    reference: Literal["frozen", "sketch-branch"] = setting(
        "frozen",
        help="what L_FS holds to: untouched CLIP, or the trained branch without prompts",
        kind="loss",
    )
    rp_center: bool = setting(False, help="remove the mean logit vector before Eq. 10", kind="loss")
    rp_gradient: bool = setting(True, help="false: L_RP is logged but trains nothing", kind="loss")
    any_negative: bool = setting(
        False, help="the released sampler, whose negatives can be wrong", kind="loss"
    )
    template: str = setting("a photo of a {}", help="text of a class", kind="input")
    fg_text: FineGrained = setting(
        "instance", help="text of a photo instance: its own name, or its category's", kind="input"
    )
    lr: float = setting(1e-4, help="learning rate of the encoder's trained parts")
    lr_prompts: float = setting(1e-3, help="learning rate of the prompts", kind="recipe")
    optimizer: Literal["adamw", "adam", "sgd"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "step"] = "constant"
    batch: int = setting(64, help="quadruplets of one step, over all processes")
    epochs: int = setting(60, help="passes over the training sketches")
    patience: int = setting(5, help="epochs without a better validation before stopping")
    augment: Augmentation = "none"


@MODELS.register
class DrClip(PromptedModel):
    """Prompted CLIP encoder, frozen reference, frozen text encoder."""

    name = "drclip"
    check_settings: ClassVar[Layer] = {"backbone": SMALL_CLIP, "size": 32, "batch": 4}
    Settings = DrClipSettings
    presets: ClassVar[dict[str, Layer]] = {
        **card_presets("drclip"),
        "released": {
            "prompt_position": "before",
            "train": "norms,prompts,proj",
            "temperature": 1 / 4.60517,
            "cls_weight": 0.5,
            "fs_l1": 1.0,
            "reference": "sketch-branch",
            "rp_gradient": False,
            "any_negative": True,
            "resize": "bilinear",
            "precision": "fp32",
            "val": "none",
            "patience": 0,
            "mean": IMAGENET_MEAN,
            "std": IMAGENET_STD,
        },
    }

    def make_encoder(self, clip: Any) -> PromptedEncoder:
        """See `PromptedModel.make_encoder`."""
        options = self.settings
        self._known_reference: dict[str, Tensor] = {}  # of these frozen weights only
        return PromptedEncoder(
            clip.visual,
            self.prompt_values(clip, 2),
            position=options.prompt_position,
            branches=options.branches,
            train=options.train,
        )

    def adopt_weights(self, state: dict[str, Tensor], source: str) -> None:
        """See `PromptedModel.adopt_weights`; or a checkpoint of the authors' code."""
        trained = parse_cduf(state, source)
        if trained is None:
            super().adopt_weights(state, source)
            return
        self._check_released(trained.prompts.shape[1], source)
        super().adopt_weights(trained.clip, source)
        trained.fill(self.encoder)

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim), not yet normalised."""
        return self.encoder(images, None) if modality == "sketch" else self.encoder(None, images)

    def encode(self, batch: Batch) -> Encoded:
        """One pass over sketches and photos; the reference's features where L_FS needs them."""
        sketch = self.preprocess(batch.images("sketch"), "sketch")
        photo = self.preprocess(batch.images("photo"), "photo")
        both = F.normalize(self.encoder(sketch, photo).float(), dim=-1)
        extra = {}
        if self.settings.lambda1:
            count = len(photo)
            extra = {
                "photo_reference": self._reference(photo, batch.ids[:count]),
                "sketch_reference": self._reference(sketch, batch.ids[count:]),
            }
        return Encoded(photo=both[len(sketch) :], sketch=both[: len(sketch)], extra=extra)

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Eqs. 2, 3 (`cls_sketch`, `cls_photo`), 4 (`fs`), 8 (`dbq`), 11 (`rp`) and 12 (`total`).

        Eqs. 2 to 4 are over anchors and positives, Eq. 9 over all images of the quadruplets.
        """
        options = self.settings
        tuples = batch.tuple_rows()
        anchor, positive, negative = tuples[:, :3].unbind(1)
        texts, text_of = self.text_features()
        sketch_logits = class_logits(encoded.embeddings("sketch"), texts, options.temperature)
        photo_logits = class_logits(encoded.embeddings("photo"), texts, options.temperature)
        sketch_label, photo_label = text_of[batch.sketch_label], text_of[batch.photo_label]
        terms = {
            "cls_sketch": classification(sketch_logits[anchor], sketch_label[anchor]),
            "cls_photo": classification(photo_logits[positive], photo_label[positive]),
            "fs": self._forgetting(encoded, tuples, texts),
            "dbq": self._metric(encoded, tuples),
        }
        sketches = tuples[:, [0, 3]].T.flatten() if options.negative_sketch else anchor
        photos = torch.cat([positive, negative])
        relation = pair_relation(
            sketch_logits[sketches],
            photo_logits[photos],
            sketch_label[sketches],
            photo_label[photos],
            center=options.rp_center,
        )
        terms["rp"] = relation if options.rp_gradient else relation.detach()
        total = drclip_objective(
            **terms,
            cls_weight=options.cls_weight,
            lambda1=options.lambda1,
            lambda2=options.lambda2,
            lambda3=options.lambda3,
        )
        return {**terms, "total": total}

    def recipe(self) -> Sequence[Stage]:
        """One stage over quadruplets; prompts have a learning rate of their own."""
        if self.classes is None:
            raise UsageError("A model made without training classes cannot be trained.")
        options = self.settings
        plan = QuadrupletPlan(
            batch=options.batch,
            same_category=any("/" in name for name in self.classes),
            released=options.any_negative,
            negative_sketch=options.negative_sketch,
        )
        return (Stage("train", options.epochs, plan, self.trained_groups()),)

    def _metric(self, encoded: Encoded, tuples: Tensor) -> Tensor:
        anchor, positive, negative = tuples[:, :3].unbind(1)
        sketch, photo = encoded.embeddings("sketch"), encoded.embeddings("photo")
        if not self.settings.negative_sketch:
            return cosine_triplet(
                sketch[anchor], photo[positive], photo[negative], self.settings.margin
            )
        return domain_balanced_quadruplet(
            sketch[anchor],
            photo[positive],
            photo[negative],
            sketch[tuples[:, 3]],
            self.settings.margin,
        )

    def _forgetting(self, encoded: Encoded, tuples: Tensor, texts: Tensor) -> Tensor:
        """Eq. 4 over anchors and positives, with the released code's L1 term if it has weight."""
        options = self.settings
        total = texts.new_zeros(())
        if not options.lambda1:
            return total
        temperature = options.temperature if options.fs_temperature == "eq1" else 1.0
        sides: tuple[tuple[Tensor, Side], ...] = ((tuples[:, 0], "sketch"), (tuples[:, 1], "photo"))
        for rows, side in sides:
            trained = encoded.embeddings(side)[rows]
            frozen = encoded.extra[f"{side}_reference"][rows]
            total = total + distribution_shift(
                class_logits(trained, texts, temperature),
                class_logits(frozen, texts, temperature),
                options.fs_direction,
                options.fs_mean,
            )
            if options.fs_l1:
                total = total + options.fs_l1 * embedding_shift(trained, frozen)
        return total

    def _reference(self, images: Tensor, ids: Sequence[str]) -> Tensor:
        """(n, dim) features of the reference encoder, without gradient.

        Untouched CLIP's features of an unaugmented image never change, so they are kept by id.
        They are computed in blocks of one size, so that a value does not depend on its batch.
        """
        if self.settings.reference == "sketch-branch":
            with torch.no_grad():
                return self.encoder.without_prompts(images).float()
        if self.settings.augment != "none":
            return self.encoder.reference(images).float()
        known = self._known_reference
        rows = [row for row, name in enumerate(ids) if name not in known]
        for start in range(0, len(rows), _REFERENCE_BLOCK):
            block = rows[start : start + _REFERENCE_BLOCK]
            padded = images[block + block[-1:] * (_REFERENCE_BLOCK - len(block))]
            found = self.encoder.reference(padded).float()
            known.update((ids[row], found[place].clone()) for place, row in enumerate(block))
        return torch.stack([known[name] for name in ids])

    def _check_released(self, prompts: int, source: str) -> None:
        options = self.settings
        wanted = {"prompt_position": "before", "branches": 2, "reference": "sketch-branch"}
        fits = all(getattr(options, key) == value for key, value in wanted.items())
        if not fits or "proj" not in options.train or options.prompts != prompts:
            raise MismatchError(
                f"{source} is a checkpoint of the authors' code, with {prompts} prompts.",
                f"Add --set preset=released --set prompts={prompts}.",
            )
