"""SpLIP: Elevating All Zero-Shot Sketch-Based Image Retrieval Through Multimodal Prompt Learning,
ECCV 2024.

From the paper only, and not its whole text: what could not be read is a setting whose default is
named on the card (splip.toml).
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
from sbirctl.core.seeds import seed_for
from sbirctl.losses import (
    CosineDistance,
    adaptive_triplet,
    classification,
    conditional_jigsaw,
    text_margin,
)
from sbirctl.models import MODELS, Augmentation, ParamGroup, Stage, card_presets
from sbirctl.models._prompted import PromptedModel
from sbirctl.models.layers.class_texts import FineGrained, filled, texts_of_classes
from sbirctl.models.layers.clip_towers import SMALL_CLIP, SMALL_TOWERS, ClipSettings, read_tokens
from sbirctl.models.layers.jigsaw_solver import JigsawSolver, drawn_orders, most_orders
from sbirctl.models.layers.patch_shuffle import check_grid, shuffle_patches
from sbirctl.models.layers.shared_prompts import ClassTokens, PromptBlocks, SharedPromptEncoder
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.sampling.tuple_plans import QuadrupletPlan
from sbirctl.store.manifest import MODALITIES, Modality


@dataclass(frozen=True)
class SplipSettings(ClipSettings):
    """Architecture, losses and recipe; the defaults are the paper's as far as they are known."""

    text_prompts: int = setting(4, help="m, prompts of the text encoder; 0: none")
    visual_prompts: int = setting(2, help="n, prompts of each layer from all class texts; 0: none")
    guided: bool = setting(True, help="prompts of the image encoder from the words of the text")
    mapping_layers: int = setting(3, help="linear layers of a mapping block", least=1)
    mapping_width: int = setting(512, help="dimensions between them", least=1)
    norms: bool = setting(True, help="train the LayerNorms of the image encoder")
    temperature: float = setting(
        0.01, help="temperature tau of the classification loss", above=0, kind="loss"
    )
    distance: CosineDistance = setting(
        "squared",
        help="of the triplet loss: squared Euclidean of unit vectors, or cosine",
        kind="loss",
    )
    fixed_margin: float = setting(
        0.0, help="one margin for all triplets; 0: the likeness of the two class texts", kind="loss"
    )
    cls_weight: float = setting(1.0, help="weight alpha of the classification losses", kind="loss")
    jigsaw: float = setting(0.1, help="weight beta of the conditional jigsaw loss", kind="loss")
    jigsaw_grid: int = setting(
        3, help="cells of a row and of a column of the jigsaw", least=2, kind="loss"
    )
    jigsaw_orders: int = setting(
        30, help="orders that the solver tells apart", least=2, kind="loss"
    )
    template: str = setting(
        "photo of a {}", help="text of a class for photos, and for the margin", kind="input"
    )
    sketch_template: str = setting(
        "sketch of a {}", help="text of a class for sketches", kind="input"
    )
    fg_text: FineGrained = setting(
        "category", help="text of a photo instance: its own name, or its category's", kind="input"
    )
    lr: float = setting(1e-3, help="learning rate of all that is trained")
    optimizer: Literal["adamw", "adam", "sgd"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "step"] = "constant"
    batch: int = setting(192, help="triplets of one step, over all processes")
    epochs: int = setting(60, help="passes over the training sketches")
    patience: int = setting(5, help="epochs without a better validation before stopping")
    augment: Augmentation = "none"


@MODELS.register
class Splip(PromptedModel):
    """CLIP whose encoders make prompts for each other, and a solver of jigsaws."""

    name = "splip"
    _orders: Tensor  # (orders, cells)
    check_settings: ClassVar[Layer] = {
        "backbone": SMALL_CLIP, "size": 32, "batch": 4, "mapping_width": 16, "jigsaw": 1.0,
    }  # fmt: skip
    Settings = SplipSettings
    presets: ClassVar[dict[str, Layer]] = {
        **card_presets("splip"),
        # Little data and time: two small towers of random values, of which little is trained.
        "small": {
            "backbone": SMALL_TOWERS,
            "size": 32,
            "mapping_width": 64,
            "temperature": 0.1,
            "batch": 32,
            "epochs": 6,
            "val": "none",
            "patience": 0,
        },
    }

    def __init__(self, settings: SplipSettings, classes: tuple[str, ...] | None = None) -> None:
        check_grid(settings.jigsaw_grid, settings.size, "jigsaw_grid")
        super().__init__(settings, classes)
        cells = settings.jigsaw_grid**2
        if settings.jigsaw_orders > most_orders(cells):
            raise UsageError(
                f"jigsaw_orders={settings.jigsaw_orders}, but {cells} cells have"
                f" {most_orders(cells)} orders beside their own.",
                "Take fewer orders or more cells (jigsaw_grid).",
            )
        self.register_buffer("_orders", drawn_orders(settings.jigsaw_orders, cells), False)

    def make_encoder(self, clip: Any) -> SharedPromptEncoder:
        """See `PromptedModel.make_encoder`."""
        options, known = self.settings, getattr(self, "encoder", None)
        if not hasattr(clip, "token_embedding") or getattr(clip.visual, "pool_type", "") != "tok":
            raise UsageError(
                f"The towers of {options.backbone.name} are not built like CLIP's own.",
                "Take a CLIP vision transformer with token pooling, such as ViT-B-32.",
            )
        blocks = known.blocks if known is not None else None
        self._tokens: dict[Modality, ClassTokens] = {}
        if blocks is None:
            visual = clip.visual
            blocks = PromptBlocks(
                (len(visual.positional_embedding) - 1, visual.conv1.out_channels),
                clip.token_embedding.embedding_dim,
                text_prompts=options.text_prompts,
                visual_prompts=options.visual_prompts,
                guided=options.guided,
                hidden=options.mapping_width,
                layers=options.mapping_layers,
            )
            self.solver = JigsawSolver(visual.output_dim, options.jigsaw_orders)
        return SharedPromptEncoder(clip, blocks, options.norms)

    def idle_settings(self) -> dict[str, tuple[str, ...]]:
        """See `PromptedModel.idle_settings`."""
        options = self.settings
        found: dict[str, tuple[str, ...]] = {}
        if not options.cls_weight:
            found["cls_weight=0"] = ("temperature",)
        if not options.jigsaw:
            found["jigsaw=0"] = ("jigsaw_grid", "jigsaw_orders")
        if not (options.text_prompts or options.visual_prompts or options.guided):
            found["no prompts"] = ("mapping_layers", "mapping_width")
        return found

    def trained_state(self) -> dict[str, Tensor]:
        """The encoder's trained parameters and the solver's."""
        solver = {f"solver.{n}": p.detach() for n, p in self.solver.named_parameters()}
        return {**super().trained_state(), **solver}

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim), not yet normalised."""
        return self.encoder(images, self._class_tokens(modality))[0]

    def encode(self, batch: Batch) -> Encoded:
        """Photos in one pass, sketches and shuffled sketches in another.

        A sketch is shuffled in an order of its own, by its name and the batch's seed, so that
        every process and piece of a batch takes the same.
        """
        photo = self.preprocess(batch.images("photo"), "photo")
        sketch = self.preprocess(batch.images("sketch"), "sketch")
        given, count = sketch, len(sketch)
        if self.settings.jigsaw:
            order = self._orders[self._order_of(batch.ids[len(photo) :])]
            moved = shuffle_patches(sketch, order, self.settings.jigsaw_grid)
            given = torch.cat([sketch, moved])
        photos, photo_logits = self._seen(photo, "photo")
        sketches, sketch_logits = self._seen(given, "sketch")
        extra = {"photo_logits": photo_logits, "sketch_logits": sketch_logits[:count]}
        if self.settings.jigsaw:
            extra["sketch_shuffled"] = sketches[count:]
        return Encoded(photo=photos, sketch=sketches[:count], extra=extra)

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """`triplet`, `cls_sketch`, `cls_photo`, `jigsaw`, and `total`; photos are classified as
        positives and as negatives."""
        options = self.settings
        anchor, positive, negative = batch.tuple_rows()[:, :3].unbind(1)
        sketch, photo = encoded.embeddings("sketch"), encoded.embeddings("photo")
        texts, text_of = self.text_features()
        of_photo, of_sketch = text_of[batch.photo_label], text_of[batch.sketch_label]
        given = sketch[anchor], photo[positive], photo[negative]
        margin = text_margin(texts[of_photo[positive]], texts[of_photo[negative]])
        if options.fixed_margin:
            margin = torch.full_like(margin, options.fixed_margin)
        seen = torch.cat([positive, negative])
        extra = encoded.extra
        terms = {
            "triplet": adaptive_triplet(*given, margin, options.distance),
            "cls_sketch": classification(extra["sketch_logits"][anchor], of_sketch[anchor]),
            "cls_photo": classification(extra["photo_logits"][seen], of_photo[seen]),
        }
        total = terms["triplet"]
        total = total + options.cls_weight * (terms["cls_sketch"] + terms["cls_photo"])
        if options.jigsaw:
            names = batch.ids[len(batch.photo_label) :]
            shuffled = extra["sketch_shuffled"][anchor]
            own, right, wrong = (self.solver(hint, shuffled) for hint in given)
            order = self._order_of(names)[anchor]
            terms["jigsaw"] = conditional_jigsaw(own, right, wrong, order)
            total = total + options.jigsaw * terms["jigsaw"]
        return {**terms, "total": total}

    def recipe(self) -> Sequence[Stage]:
        """One stage over triplets."""
        if self.classes is None:
            raise UsageError("A model made without training classes cannot be trained.")
        options = self.settings
        learnt = [p for p in self.encoder.parameters() if p.requires_grad]
        learnt += list(self.solver.parameters()) if options.jigsaw else []
        plan = QuadrupletPlan(
            batch=options.batch,
            same_category=any("/" in name for name in self.classes),
            negative_sketch=False,
        )
        group = ParamGroup("all", learnt, options.lr, options.weight_decay)
        return (Stage("train", options.epochs, plan, [group]),)

    def _seen(self, images: Tensor, modality: Modality) -> tuple[Tensor, Tensor]:
        """(n, dim) unit embeddings and (n, texts) logits of pictures of one modality."""
        features, texts = self.encoder(images, self._class_tokens(modality))
        unit = F.normalize(features.float(), dim=-1)
        if texts is None:
            return unit, unit[:, :0]
        with torch.autocast(unit.device.type, enabled=False):  # as in `class_logits`
            likeness = torch.einsum("nd,ncd->nc", unit, F.normalize(texts.float(), dim=-1))
        return unit, likeness / self.settings.temperature

    def _order_of(self, ids: Sequence[str]) -> Tensor:
        """(n,) int64: in which of the orders each sketch is shuffled now."""
        seed, count = self.batch_seed, self.settings.jigsaw_orders
        found = [seed_for("jigsaw", name, seed) % count for name in ids]
        return torch.tensor(found, dtype=torch.long, device=self._mean.device)

    def _class_tokens(self, modality: Modality) -> ClassTokens | None:
        """Tokens of the training classes' texts; None for a model without classes."""
        if self.classes is None:
            return None
        if not self._tokens:
            options = self.settings
            texts, _ = texts_of_classes(self.classes, options.fg_text)
            keys = {"photo": "template", "sketch": "sketch_template"}
            self._tokens = {name: self._read(keys[name], texts) for name in MODALITIES}
        self._tokens[modality] = self._tokens[modality].to(self._mean.device)
        return self._tokens[modality]

    def _read(self, key: str, texts: Sequence[str]) -> ClassTokens:
        options, room = self.settings, self.text.context_length - self.settings.text_prompts
        template = getattr(options, key)
        words, start = filled(template, texts, key), template.partition("{}")[0]
        # the end token has the highest number
        lead = int(read_tokens(options.backbone, [start], self.text.context_length).argmax())
        if room < lead + 2:  # a token of the name, and the end
            raise UsageError(
                f"text_prompts={options.text_prompts} and the {lead} tokens before a name leave"
                f" none of the text encoder's {self.text.context_length} tokens to it.",
                f"Take {max(0, self.text.context_length - lead - 2)} or fewer.",
            )
        tokens = read_tokens(options.backbone, words, room)
        end = tokens.argmax(dim=1)
        length = int(end.max()) + 1
        return ClassTokens(tokens[:, :length], lead, end)
