"""One vector a picture from a side's 1,000 class scores, and the constants this takes.

A vector has two parts, each of length one before it is weighted: the scores less the side's mean,
in the space their layer's weights span; and the class probabilities at a temperature, in the
leading directions of the classes' likeness. The first finds things outside ImageNet's classes, the
second the ones inside. No constant comes from photos: the photo side's mean follows from the last
batch norm's own statistics, the drawing side's from the training drawings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Shape:
    """How the two parts are made: chosen in `choose`.

    Attributes:
        scores, classes: numbers of each part; together at most 512.
        temperature: the scores are divided by it before the softmax.
        share: weight of the probabilities' part where that of the scores' is 1.
    """

    scores: int = 256
    classes: int = 256
    temperature: float = 2.0
    share: float = 1.0


@dataclass(frozen=True)
class Head:
    """Constants of both sides.

    Attributes:
        means: of the class scores by side, (1000,) each.
        scores: (1000, a) orthonormal columns.
        classes: (1000, b).
        temperature, share: see `Shape`.
    """

    means: dict[str, Tensor]
    scores: Tensor
    classes: Tensor
    temperature: float
    share: float

    def vectors(self, scores: Tensor, side: str) -> Tensor:
        """(n, 1000) class scores of a side to (n, a + b) vectors of length one."""
        first = F.normalize((scores - self.means[side]) @ self.scores, dim=1)
        second = F.normalize(torch.softmax(scores / self.temperature, 1) @ self.classes, dim=1)
        return F.normalize(torch.cat([first, self.share * second], 1), dim=1)


def head(photo: Any, drawing_mean: Tensor, shape: Shape) -> Head:
    """The constants.

    Args:
        photo: the photo side's network.
        drawing_mean: (1000,) mean class scores of the training drawings.
        shape: of the vector.
    """
    weight = photo.classifier.weight.detach()
    centred = weight - weight.mean(0)
    basis = torch.linalg.svd(centred, full_matrices=False)[0][:, : shape.scores]
    alike = F.normalize(centred, dim=1) @ F.normalize(centred, dim=1).T
    classes = torch.linalg.eigh(alike)[1].flip(1)[:, : shape.classes]
    means = {"photo": expected_scores(photo), "drawing": drawing_mean}
    return Head(means, basis, classes, shape.temperature, shape.share)


def expected_scores(model: Any) -> Tensor:
    """Mean class scores over the network's own training photos, from its batch norm, (1000,).

    Before the last activation (clipped to 0 ... 6) channel c has mean bias_c and deviation
    |weight_c|; its mean after it is taken over a normal distribution.
    """
    deviation = model.bn2.weight.detach().double().abs()
    z = torch.linspace(-8, 8, 4001).double()
    density = torch.exp(-(z**2) / 2)
    values = (model.bn2.bias.detach().double()[:, None] + deviation[:, None] * z).clamp(0, 6)
    features = (values * density).sum(1) / density.sum()
    return model.classifier(features.float()).detach()
