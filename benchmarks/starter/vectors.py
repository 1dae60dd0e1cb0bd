"""One vector a picture from a side's 1,000 class scores, and the constants this takes.

The vector is the side's class probabilities, softened and with classes that are likely for
everything held back, in the leading directions of the classes' likeness: kinds of dog are near each
other, a dog and a spoon are not. No constant comes from photos: the photo side's mean scores follow
from the last batch norm's own statistics, the drawing side's from the training drawings, the
likeness from the classifier's weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Shape:
    """How a vector is made: chosen in `choose`.

    Attributes:
        dim: its numbers.
        photo, drawing: temperatures, the scores of the side are divided by them.
        held_back: share of the side's mean scores that is taken off first.
        power: of the eigenvalues, by which the directions are weighted.
    """

    dim: int = 256
    photo: float = 4.0
    drawing: float = 3.0
    held_back: float = 0.75
    power: float = -0.5


@dataclass(frozen=True)
class Head:
    """Constants of both sides.

    Attributes:
        offsets: what is taken off the class scores by side, (1000,) each.
        temperatures: by side.
        classes: (1000, d), a row a class.
    """

    offsets: dict[str, Tensor]
    temperatures: dict[str, float]
    classes: Tensor

    def vectors(self, scores: Tensor, side: str) -> Tensor:
        """(n, 1000) class scores of a side to (n, d) vectors of length one."""
        soft = torch.softmax((scores - self.offsets[side]) / self.temperatures[side], 1)
        return F.normalize(soft @ self.classes, dim=1)


def head(photo: Any, drawing_mean: Tensor, shape: Shape) -> Head:
    """The constants.

    Args:
        photo: the photo side's network.
        drawing_mean: (1000,) mean class scores of the training drawings.
        shape: of the vector.
    """
    weight = photo.classifier.weight.detach()
    directions = F.normalize(weight - weight.mean(0), dim=1)
    values, vectors = torch.linalg.eigh(directions @ directions.T)
    values, vectors = values.flip(0)[: shape.dim], vectors.flip(1)[:, : shape.dim]
    offsets = {
        "photo": shape.held_back * expected_scores(photo),
        "drawing": shape.held_back * drawing_mean,
    }
    temperatures = {"photo": shape.photo, "drawing": shape.drawing}
    return Head(offsets, temperatures, vectors * values**shape.power)


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
