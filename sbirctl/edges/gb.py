"""Gb edge maps: colour, colour with soft segmentation, thinning and the steps after it.

M. Leordeanu, R. Sukthankar, C. Sminchisescu: Generalized Boundaries from Multiple Image
Interpretations, IEEE TPAMI 36(7), 2014, as in the authors' code of October 2012: the maps of
colour and of soft segmentation are multiplied, and the direction is that of colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sbirctl.edges.boundary import boundary, filter_radius, unit_range
from sbirctl.edges.color import lab_layers, stretched
from sbirctl.edges.contours import weigh_by_contours
from sbirctl.edges.hysteresis import hysteresis
from sbirctl.edges.settings import GbColorSettings, GbSettings
from sbirctl.edges.soft_segmentation import soft_layers
from sbirctl.edges.thinning import thin

# Less than this is 0 in eight bits. It is set to 0 before thinning, so that rounding errors of the
# FFT in flat regions never count as crests.
FLOOR = 1 / 510


@dataclass(frozen=True)
class Boundaries:
    """What Gb finds.

    Attributes:
        strength: (n, H, W) float32, 0..1 over each photo.
        angle: (n, H, W) float32, direction of the normal in degrees, 0 <= angle < 180,
            anticlockwise from the x axis.
    """

    strength: Tensor
    angle: Tensor


def gb_boundaries(photos: Tensor, settings: GbColorSettings) -> Boundaries:
    """Boundary strength before thinning.

    Args:
        photos: (n, 3, H, W) uint8, on any device.
        settings: `GbColorSettings` for colour alone, `GbSettings` to add soft segmentation.
    """
    height, width = photos.shape[-2:]
    rgb = stretched(photos)
    radius = filter_radius(settings.radius, height, width)
    strength, angle = boundary(lab_layers(rgb, settings.chroma), radius)
    if isinstance(settings, GbSettings):
        radius = filter_radius(settings.soft_radius, height, width)
        soft, _ = boundary(soft_layers(rgb), radius)
        strength = strength * unit_range(soft, (1, 2))
    strength = unit_range(strength, (1, 2))
    return Boundaries(torch.where(strength < FLOOR, 0, strength), angle)


def gb_edges(found: Boundaries, settings: GbColorSettings) -> Tensor:
    """What the settings make of boundaries: soft, thin or contours, above thresholds.

    Returns:
        (n, H, W) float32, 0..1.
    """
    if not settings.thin and not settings.contours:
        return _kept(found.strength, settings)
    edges = thin(found.strength, found.angle)
    if not settings.contours:
        return _kept(edges, settings)
    pairs = zip(edges.cpu().numpy(), found.angle.cpu().numpy(), strict=True)
    weighed = [torch.from_numpy(weigh_by_contours(*pair)) for pair in pairs]
    return torch.stack(weighed).to(edges.device)


def _kept(edges: Tensor, settings: GbColorSettings) -> Tensor:
    """Hysteresis; it follows lines, which is a processor's work."""
    if settings.high == 0:
        return edges
    kept = [hysteresis(one, settings.low, settings.high) for one in edges.cpu().numpy()]
    return torch.from_numpy(np.stack(kept)).to(edges.device)
