"""The three branches of Semi3-Net: which weights they share, and what each layer is.

Every part is stored once, under the name of the branch that owns it, and branches look their
parts up. So shared weights are one tensor whatever is done to the model, in its checkpoints too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.errors import UsageError
from sbirctl.losses import at_least_float32, pairwise_cosine
from sbirctl.models.layers.backbones import Backbone
from sbirctl.models.layers.co_attention import ChannelAttention, co_attend, rescale

Branch = Literal["photo", "sketch", "edge"]
Classify = Literal["fc7", "fc7-cosine", "embedding", "raw"]
Sharing = Literal["semi", "all", "fc-only", "sketch-edge-only", "none"]
Owners = Mapping[str, str]

_ONE: Owners = {"photo": "photo", "sketch": "photo", "edge": "photo"}
_TWO: Owners = {"photo": "photo", "sketch": "sketch", "edge": "sketch"}
_OWN: Owners = {"photo": "photo", "sketch": "sketch", "edge": "edge"}
# Whose convolutions and whose fully connected layers each branch uses (Table II). The attention
# goes with the convolutions.
SCHEMES: dict[str, tuple[Owners, Owners]] = {
    "semi": (_TWO, _ONE),
    "all": (_ONE, _ONE),
    "fc-only": (_OWN, _ONE),
    "sketch-edge-only": (_TWO, _OWN),
    "none": (_OWN, _OWN),
}


class Trunk(nn.Module):
    """The convolutions of a backbone, up to its last map.

    Attributes:
        own: the two fully connected layers the backbone has of its own (VGG, AlexNet), else ().
            They are no part of this module.
        channels: of the last map.
        grid: side of the pooled map that those layers see, 1 without any.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.channels = backbone.shapes()[-1][0]
        linear: list[nn.Linear] = []
        classifier = getattr(backbone.net, "classifier", None)
        if isinstance(classifier, nn.Sequential):
            linear = [layer for layer in classifier if isinstance(layer, nn.Linear)]
        self.own: tuple[nn.Linear, ...] = ()
        self.grid = 1
        if len(linear) == 2:
            self.own = (linear[0], linear[1])
            self.grid = round((linear[0].in_features / self.channels) ** 0.5)
            backbone.net.classifier = nn.Identity()

    def take_own(self) -> tuple[nn.Linear, ...]:
        """`own`, and forget them, so that copies of the convolutions do not carry them."""
        own, self.own = self.own, ()
        return own

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) normalised images to the last map, (n, C, h, w)."""
        return self.backbone.feature_maps(images)[-1]


class Head(nn.Module):
    """FC6 and FC7 of VGG, on FC7 the embedding layer, on one of the two the classifier.

    Args:
        channels: of the maps. grid: they are averaged to grid x grid first.
        width: outputs of FC6 and FC7. dim: of the embedding.
        classes: of the classifier, 0 for none.
        dropout: after FC6 and FC7, in training.
        classify: "fc7": a linear classifier on FC7. "raw": one on the embedding layer's outputs
            before they are normalised. "embedding": normalised softmax, whose logits are the
            embedding's cosines to one proxy a class. "fc7-cosine": the same on FC7, which then has
            no ReLU, as cosines of what is never negative differ little.
        temperature: those cosines are divided by it.
    """

    def __init__(
        self,
        channels: int,
        grid: int,
        width: int,
        dim: int,
        classes: int,
        dropout: float,
        classify: Classify = "fc7",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.grid, self.dropout = grid, dropout
        self.classify, self.temperature = classify, temperature
        self.fc6 = nn.Linear(channels * grid**2, width)
        self.fc7 = nn.Linear(width, width)
        for layer in (self.fc6, self.fc7):
            _start(layer)
        self.embedding = nn.Linear(width, dim)
        self.classifier: nn.Linear | None = None
        if classes and self.by_cosine:
            self.classifier = nn.Linear(dim if classify == "embedding" else width, classes, False)
            # Unit variance: the loss ignores the norm, an optimiser's step does not.
            nn.init.normal_(self.classifier.weight)
        elif classes:
            self.classifier = nn.Linear(width if classify == "fc7" else dim, classes)

    @property
    def by_cosine(self) -> bool:
        """The classifier is a normalised softmax."""
        return self.classify in ("embedding", "fc7-cosine")

    def adopt(self, layers: Sequence[nn.Linear]) -> None:
        """Copy the values of a backbone's own FC6 and FC7 where they have these shapes."""
        own = (self.fc6, self.fc7)
        if len(layers) == 2 and all(
            a.weight.shape == b.weight.shape for a, b in zip(own, layers, strict=True)
        ):
            for mine, given in zip(own, layers, strict=True):
                mine.load_state_dict(given.state_dict())

    def forward(self, maps: Tensor) -> Tensor:
        """(n, C, h, w) maps to (n, width) features."""
        pooled = F.adaptive_avg_pool2d(maps, self.grid).flatten(1)
        hidden = F.dropout(self.fc6(pooled).relu(), self.dropout, self.training)
        found = self.fc7(hidden)
        found = found if self.classify == "fc7-cosine" else found.relu()
        return F.dropout(found, self.dropout, self.training)

    def raw(self, features: Tensor) -> Tensor:
        """(n, width) features to (n, dim) float32, before they are normalised.

        Mixed precision is switched off inside: while the contrastive losses hold embeddings within
        0.01 of each other, half precision's digits would not tell them apart.
        """
        with torch.autocast(features.device.type, enabled=False):
            return self.embedding(at_least_float32(features))

    def logits(self, features: Tensor, raw: Tensor) -> Tensor | None:
        """(n, width) features and what `raw` made of them to (n, classes), None without any."""
        if self.classifier is None:
            return None
        given = features if self.classify.startswith("fc7") else raw
        if self.by_cosine:
            return pairwise_cosine(given, self.classifier.weight) / self.temperature
        return self.classifier(given)


class Branches(nn.Module):
    """Convolutions, attention and fully connected layers of all branches, by owner.

    Args:
        trunk: the convolutions every branch starts from.
        head: the fully connected layers every branch starts from.
        names: the branches there are.
        sharing: a key of `SCHEMES`.
        reduction: of the attention, 0 for none.
    """

    def __init__(
        self, trunk: Trunk, head: Head, names: Sequence[Branch], sharing: Sharing, reduction: int
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self._trunk_of, self._head_of = SCHEMES[sharing]
        self.apart = False
        self.trunks = _copies(trunk, self._owners(self._trunk_of))
        self.heads = _copies(head, self._owners(self._head_of))
        self.attentions = nn.ModuleDict()
        if reduction:
            for owner in self._owners(self._trunk_of):
                self.attentions[owner] = ChannelAttention(trunk.channels, reduction)

    def trunk(self, branch: Branch) -> Trunk:
        """The convolutions a branch uses."""
        return cast(Trunk, self.trunks[branch if self.apart else self._trunk_of[branch]])

    def head(self, branch: Branch) -> Head:
        """The fully connected layers a branch uses."""
        return cast(Head, self.heads[branch if self.apart else self._head_of[branch]])

    def attention(self, branch: Branch) -> ChannelAttention:
        """The attention a branch uses."""
        return cast(ChannelAttention, self.attentions[self._trunk_of[branch]])

    def separate(self) -> None:
        """Give every branch convolutions and fully connected layers of its own: stage 1."""
        if self.apart:
            return
        for parts, owners in ((self.trunks, self._trunk_of), (self.heads, self._head_of)):
            for branch in self.names:
                if branch not in parts:
                    parts[branch] = copy.deepcopy(parts[owners[branch]])
        self.apart = True

    def share(self) -> None:
        """Keep the owners' parts, which all branches use from now on: stage 2."""
        for parts, owners in ((self.trunks, self._trunk_of), (self.heads, self._head_of)):
            for branch in set(parts) - set(self._owners(owners)):
                del parts[branch]
        self.apart = False

    def forward(self, images: Mapping[Branch, Tensor]) -> dict[Branch, Tensor]:
        """Normalised images of some branches to their (n, width) features behind FC7.

        With attention photos come with their edge maps: row i of one belongs to row i of the other.
        Branches that are apart have no attention.
        """
        maps = {branch: self.trunk(branch)(given) for branch, given in images.items()}
        if len(self.attentions) and not self.apart:
            if "sketch" in maps:
                maps["sketch"] = rescale(maps["sketch"], self.attention("sketch")(maps["sketch"]))
            if "photo" in maps:
                maps["photo"], maps["edge"] = co_attend(
                    maps["photo"], maps["edge"], self.attention("photo"), self.attention("edge")
                )
        return {branch: self.head(branch)(own) for branch, own in maps.items()}

    def parts(self) -> Iterator[tuple[str, list[nn.Parameter]]]:
        """(name, parameters) of what is trained."""
        heads = [cast(Head, head) for head in self.heads.values()]
        trunks = [cast(Trunk, trunk) for trunk in self.trunks.values()]
        yield "convolutions", [p for trunk in trunks for p in trunk.backbone.trained()]
        yield "fc", [p for h in heads for layer in (h.fc6, h.fc7) for p in layer.parameters()]
        yield "classifier", [p for h in heads if h.classifier for p in h.classifier.parameters()]
        yield "embedding", [p for head in heads for p in head.embedding.parameters()]
        yield "attention", list(self.attentions.parameters())

    def _owners(self, of: Owners) -> list[str]:
        """The distinct owners among the branches there are."""
        return list(dict.fromkeys(of[name] for name in self.names))


def check_two_branches(sharing: Sharing, co_attention: bool, hybrid: bool) -> None:
    """Refuse what needs edge maps.

    Raises:
        UsageError: co-attention, the hybrid loss or a scheme that is about edge maps.
    """
    wrong = {"co_attention": co_attention, "hybrid": hybrid}
    for key, given in wrong.items():
        if given:
            raise UsageError(
                f"{key}=true needs the edge maps that edges=false leaves out.",
                "Take preset=two-branch.",
            )
    if sharing in ("semi", "sketch-edge-only"):
        raise UsageError(
            f"sharing={sharing} is about edge maps, which edges=false leaves out.",
            "Set sharing=fc-only, all or none.",
        )


def _start(layer: nn.Linear) -> None:
    """Let pass what comes: unchanged where the widths are equal, else of the same variance.

    torch's own start would leave a sixth of it behind two layers, and no pretrained feature.
    """
    if layer.in_features == layer.out_features:
        nn.init.eye_(layer.weight)
    else:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)


def _copies(module: nn.Module, owners: Sequence[str]) -> nn.ModuleDict:
    rest = {owner: copy.deepcopy(module) for owner in owners[1:]}
    return nn.ModuleDict({owners[0]: module, **rest})
