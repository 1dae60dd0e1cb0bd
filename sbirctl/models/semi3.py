"""Semi3-Net: Semi-Heterogeneous Three-Way Joint Embedding Network, Lei et al., TCSVT 2019.

Equation and table numbers are the paper's. No code of it was published; what the paper leaves
open is a setting, and the card (semi3.toml) gives the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from sbirctl.core.config import Layer, setting
from sbirctl.core.errors import UsageError
from sbirctl.losses import alignment, classification, contrastive, semi3_objective
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
from sbirctl.models.layers.branches import (
    Branch,
    Branches,
    Classify,
    Head,
    Trunk,
    check_two_branches,
)
from sbirctl.models.layers.library_networks import build
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.sampling.tuple_plans import PairPlan
from sbirctl.store.manifest import Modality

APART = "branches"
JOINT = "joint"
_MARK = "apart"
_APART = ("trunks", "heads")


@dataclass(frozen=True)
class Semi3Settings(ModelSettings):
    """Network, losses and recipe; the defaults are the paper's."""

    backbone: BackboneSettings = field(default_factory=lambda: BackboneSettings("vgg19"))
    freeze_bn: bool = setting(
        True, help="batch norm, if any, keeps its running statistics", kind="recipe"
    )
    sharing: Literal["semi", "all", "fc-only", "sketch-edge-only", "none"] = setting(
        "semi", help="which branches share weights (Table II); none: every branch has its own"
    )
    co_attention: bool = setting(
        True, help="channel attention in all branches, and the co-mask (Table III)"
    )
    hybrid: bool = setting(
        True, help="alignment and sketch-edge contrastive loss (Table III)", kind="loss"
    )
    edges: bool = setting(
        True, help="false: two branches, no edge maps (Section IV-D)", kind="input"
    )
    feature: Literal["photo", "edge"] = setting(
        "photo", help="what of a photo is searched: its own embedding or its edge map's (Table IV)"
    )
    reduction: int = setting(
        16, help="how many times fewer outputs the attention's first layer has"
    )
    fc: int = setting(4096, help="outputs of FC6 and of FC7")
    grid: int = setting(0, help="side of FC6's map in its pixels; 0: as in the backbone, else 1")
    dropout: float = setting(0.5, help="share of outputs dropped after FC6 and FC7, in training")
    dim: int = setting(256, help="dimensions of the embedding")
    classify: Classify = setting(
        "fc7",
        help="what Eq. 10 classifies: FC7 (fc7-cosine: without its ReLU, by normalised softmax),"
        " the embedding (by normalised softmax), or the embedding before it is normalised (raw)",
        kind="loss",
    )
    temperature: float = setting(
        0.2,
        help="temperature of the normalised softmax of classify=embedding and fc7-cosine",
        above=0,
        kind="loss",
    )
    alpha: float = setting(
        10.0, help="weight of the sketch-photo contrastive loss, Eq. 12", kind="loss"
    )
    beta: float = setting(100.0, help="weight of the alignment loss", kind="loss")
    gamma: float = setting(10.0, help="weight of the sketch-edge contrastive loss", kind="loss")
    beta_ramp: float = setting(
        0.0, help="share of stage 2 over which beta rises from 0 to its value", kind="recipe"
    )
    squared: bool = setting(
        False,
        help="Eqs. 9 and 11 with squared distances, d^2 and max(0, m - d)^2, as in Caffe",
        kind="loss",
    )
    halves: bool = setting(
        False,
        help="halve Eqs. 8, 9 and 11, as Caffe's Euclidean and contrastive losses do",
        kind="loss",
    )
    margin_photo: float = setting(0.3, help="margin m_2 of Eq. 11, Euclidean distance", kind="loss")
    margin_edge: float = setting(0.3, help="margin m_1 of Eq. 9, Euclidean distance", kind="loss")
    pretrain_epochs: int = setting(
        10, help="epochs of stage 1, every branch by itself; 0: without", kind="recipe"
    )
    epochs: int = setting(20, help="epochs of stage 2, all branches together; 0: without", least=0)
    batch: int = setting(32, help="sketches of a step, each with two photos, over all processes")
    optimizer: Literal["adamw", "adam", "sgd"] = "sgd"
    lr: float = setting(2e-4, help="learning rate of embedding and attention")
    lr_classifier: float = setting(2e-4, help="learning rate of the classifier", kind="recipe")
    lr_fc: float = setting(2e-4, help="learning rate of FC6 and FC7", kind="recipe")
    lr_backbone: float = setting(2e-4, help="learning rate of the convolutions", kind="recipe")
    schedule: Literal["constant", "cosine", "step", "drop"] = setting(
        "drop", help="drop: a tenth of the rate after two thirds"
    )
    # Not FFMLN's released one, which would move photos without their edge maps.
    augment: Literal["none", "flip", "standard", "strong"] = setting(
        "flip", help="none, flip, standard or strong; edge maps move with their photos"
    )


# Little data or little time: a light backbone whose pooled features pass through FC6 and FC7 as
# they are at first (`fc` is their number), many small steps, all branches together from the start.
# FC6 and FC7 take small steps, which else undo their start; the convolutions too: at 4e-4 AdamW
# shuts the sketch branch's ReLUs in 40 steps (benchmarks/results/semi3.md). Squared contrastive
# losses up to the largest distance there is always push negatives away; with a smaller margin all
# embeddings draw together first. Alignment waits until photos and edge maps differ less than
# classes do.
_LIGHT: Layer = {
    "backbone": "mobilenetv2_100",
    "fc": 1280,
    "dropout": 0.0,
    "alpha": 1.0,
    "beta": 1.0,
    "gamma": 1.0,
    "beta_ramp": 1 / 3,
    "squared": True,
    "margin_photo": 2.0,
    "margin_edge": 2.0,
    "batch": 12,
    "optimizer": "adamw",
    "lr": 1e-3,
    "lr_fc": 3e-5,
    "lr_backbone": 1e-4,
    "schedule": "cosine",
    "warmup": 0.1,
    "augment": "standard",
    "pretrain_epochs": 0,
    "epochs": 6,
}


@MODELS.register
class Semi3(Model):
    """Sketch, photo and edge-map branch with shared weights and co-attention."""

    name = "semi3"
    check_settings: ClassVar[Layer] = {
        "backbone": "mobilenetv3_small_050", "size": 32, "dim": 8, "fc": 16, "batch": 4,
        "dropout": 0.0,
    }  # fmt: skip
    Settings = Semi3Settings
    embedding_settings = ("mirror", "feature")
    edges_setting = "edges"  # false in the two-branch variants
    presets: ClassVar[dict[str, Layer]] = {
        **card_presets("semi3"),
        # Cross-entropy on the embedding itself, which the contrastive losses at the paper's weights
        # and margins draw into one point.
        "small": {
            **_LIGHT,
            "classify": "embedding",
            "temperature": 0.1,
            "lr_classifier": 5e-2,
        },
        # Cross-entropy on FC7, as in the paper; there the embedding learns by the contrastive
        # losses alone. By cosines, so that FC7 sets classes apart by what is ranked.
        "short": {
            **_LIGHT,
            "classify": "fc7-cosine",
            "temperature": 0.1,
            "lr_classifier": 5e-2,
            "epochs": 14,
        },
    }

    def __init__(self, settings: Semi3Settings, classes: tuple[str, ...] | None = None) -> None:
        super().__init__(settings, classes)
        if not settings.edges:
            check_two_branches(settings.sharing, settings.co_attention, settings.hybrid)
            if settings.feature == "edge":
                raise UsageError("feature=edge needs edge maps.", "Leave out edges=false.")
        if not 0 <= settings.beta_ramp <= 1:
            raise UsageError(f"beta_ramp={settings.beta_ramp} is no share.", "Set 0 to 1.")
        self.dim = settings.dim
        trunk = Trunk(build(settings.backbone, freeze_bn=settings.freeze_bn))
        trunk.take_own()
        head = Head(
            trunk.channels,
            settings.grid or trunk.grid,
            settings.fc,
            settings.dim,
            len(classes or ()),
            settings.dropout,
            settings.classify,
            settings.temperature,
        )
        names: tuple[Branch, ...] = ("photo", "sketch", "edge")
        self.branches = Branches(
            trunk,
            head,
            names if settings.edges else names[:2],
            settings.sharing,
            settings.reduction if settings.co_attention else 0,
        )

    def load_weights(self, weights: str) -> WeightsRecord:
        """See `Model.load_weights`; they are the backbone's, in every branch.

        FC6 and FC7 take over its own fully connected layers where these have their shapes.
        """
        if weights == RANDOM:
            return WeightsRecord()
        backbone = build(self.settings.backbone, freeze_bn=self.settings.freeze_bn)
        record = backbone.load_weights(weights)
        source = Trunk(backbone)
        for trunk in self.branches.trunks.values():
            trunk.load_state_dict(source.state_dict())
        for head in self.branches.heads.values():
            cast(Head, head).adopt(source.own)
        return record

    def expected_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """See `Model.expected_normalisation`."""
        return self.branches.trunk("photo").backbone.normalisation()

    def embed(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """See `Model.embed`. A photo without its edge map gets one by `edge_source`.

        Args:
            edges: (n, 1, H, W) uint8, dark on white, of photos.

        Raises:
            MissingError: none were given, and the model knows no way to make them.
        """
        if modality == "photo" and edges is None and self._photo_needs_edge:
            edges = self.make_edges(images)
        return super().embed(images, modality, edges)

    def features(self, images: Tensor, modality: Modality, edges: Tensor | None = None) -> Tensor:
        """(n, 3, size, size) preprocessed images to (n, dim), not yet normalised.

        Args:
            edges: (n, 1, H, W) uint8, the photos' edge maps, which come as they are stored.
        """
        branch: Branch = "sketch" if modality == "sketch" else self.settings.feature
        given: dict[Branch, Tensor] = {modality: images}
        if modality == "photo" and self._photo_needs_edge:
            assert edges is not None
            given["edge"] = self.preprocess(edges, "sketch")
        return self.branches.head(branch).raw(self.branches(given)[branch])

    def encode(self, batch: Batch) -> Encoded:
        """All branches; in `extra` the classifier's `photo_logits` and so on."""
        given: dict[Branch, Tensor] = {}
        for branch in self.branches.names:
            modality: Modality = "photo" if branch == "photo" else "sketch"
            given[branch] = self.preprocess(batch.images(branch), modality)
        embedded: dict[str, Tensor] = {}
        logits: dict[str, Tensor] = {}
        for branch, found in self.branches(given).items():
            head = self.branches.head(branch)
            raw = head.raw(found)
            embedded[branch] = F.normalize(raw, dim=-1)
            classified = head.logits(found, raw)
            if classified is not None:
                logits[f"{branch}_logits"] = classified
        return Encoded(**embedded, extra=logits)

    def losses(self, encoded: Encoded, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Eq. 10 of every branch (`cls_photo`, …); jointly also 11 (`sketch_photo`), 8 (`align`),
        9 (`sketch_edge`); and `total`, Eq. 12."""
        labels = {"photo": batch.photo_label, "sketch": batch.sketch_label}
        labels["edge"] = batch.photo_label
        terms = {
            f"cls_{branch}": classification(encoded.extra[f"{branch}_logits"], labels[branch])
            for branch in self.branches.names
        }
        cross_entropy = torch.stack(list(terms.values())).sum()
        if stage == APART:
            return {**terms, "total": cross_entropy}
        options, photo = self.settings, encoded.embeddings("photo")
        terms["sketch_photo"] = self._pairs(encoded, photo, batch, options.margin_photo)
        align = sketch_edge = cross_entropy.new_zeros(())
        if options.hybrid:
            edge = encoded.embeddings("edge")
            terms["align"] = align = alignment(photo, edge) * (0.5 if options.halves else 1.0)
            sketch_edge = self._pairs(encoded, edge, batch, options.margin_edge)
            terms["sketch_edge"] = sketch_edge
        total = semi3_objective(
            cross_entropy,
            terms["sketch_photo"],
            align,
            sketch_edge,
            alpha=options.alpha,
            beta=options.beta * self._ramp(),
            gamma=options.gamma,
        )
        return {**terms, "total": total}

    def recipe(self) -> Sequence[Stage]:
        """Stage 1, `branches`, and stage 2, `joint`; one of zero epochs is left out."""
        if self.classes is None:
            raise UsageError("A model made without training classes cannot be trained.")
        options = self.settings
        rates = {
            "convolutions": options.lr_backbone,
            "fc": options.lr_fc,
            "classifier": options.lr_classifier,
        }
        groups = [
            ParamGroup(name, params, rates.get(name, options.lr), options.weight_decay)
            for name, params in self.branches.parts()
            if params
        ]
        plan = PairPlan(batch=options.batch, same_category=any("/" in c for c in self.classes))
        late = {"attention", "embedding"} if options.classify.startswith("fc7") else {"attention"}
        early = [g for g in groups if g.name not in late]
        made = (
            Stage(APART, options.pretrain_epochs, plan, early, validate=False),
            Stage(JOINT, options.epochs, plan, groups),
        )
        return tuple(stage for stage in made if stage.epochs)

    def begin(self, stage: str) -> None:
        """Stage 1 takes the branches apart; stage 2 shares: photo convolutions and fully connected
        layers of the photo branch, sketch and edge convolutions of the sketch branch."""
        if stage == APART:
            self.branches.separate()
        else:
            self.branches.share()

    def checkpoint_state(self) -> dict[str, Tensor]:
        """See `Model.checkpoint_state`; what stage 1 leaves is marked, it needs no sharing yet."""
        mark = {_MARK: torch.tensor(True)} if self.branches.apart else {}
        return {**self.state_dict(), **mark}

    def load_checkpoint_state(self, state: Mapping[str, Tensor]) -> None:
        """See `Model.load_checkpoint_state`; stage 1's state fits whatever is to be shared.

        Of stage 1 the branches this model has are taken; it trains no attention, so the model's
        own values of that stay.
        """
        state = dict(state)
        if state.pop(_MARK, None) is None:
            self.branches.share()
        else:
            self.branches.separate()
            wanted = {f"branches.{part}.{b}." for part in _APART for b in self.branches.names}
            state = {k: v for k, v in state.items() if k.startswith(tuple(wanted))}
            state |= self.branches.attentions.state_dict(prefix="branches.attentions.")
        super().load_checkpoint_state(state)

    @property
    def _photo_needs_edge(self) -> bool:
        return self.settings.co_attention or self.settings.feature == "edge"

    def _pairs(self, encoded: Encoded, other: Tensor, batch: Batch, margin: float) -> Tensor:
        """Eq. 9 or 11 over every sketch with its positive and with its negative."""
        anchor, positive, negative = batch.tuple_rows()[:, :3].unbind(1)
        sketch = encoded.embeddings("sketch")[torch.cat([anchor, anchor])]
        same = torch.arange(len(sketch), device=sketch.device) < len(anchor)
        chosen = other[torch.cat([positive, negative])]
        loss = contrastive(sketch, chosen, same, margin, squared=self.settings.squared)
        return loss * (0.5 if self.settings.halves else 1.0)

    def _ramp(self) -> float:
        """What beta is multiplied with at this place of the stage."""
        ramp = self.settings.beta_ramp
        return min(1.0, self.stage_done / ramp) if ramp else 1.0
