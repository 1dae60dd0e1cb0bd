"""Augmentation of whole batches on their own device; white paper stays white.

All draws come from one seed for the global batch, so workers, processes and resuming cannot change
what is trained on. Sketches are warped as ink (255 - value) with nothing outside, so a rotated
sketch gets white corners and blank paper stays exactly 255; photos are continued by reflection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from sbirctl.datasets.batch import Batch

Name = Literal["none", "flip", "standard"]
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma, as in every photo library


@dataclass(frozen=True)
class Strength:
    """Half-widths of uniform draws; a value of 0 switches that part off.

    Attributes:
        degrees: rotation, degrees.
        shift: translation, of the image's side.
        scale: logarithm of the magnification.
        brightness, contrast, saturation: of photos, around a factor of 1.
    """

    degrees: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0


STRENGTHS: dict[str, Strength] = {
    "flip": Strength(),
    "standard": Strength(15.0, 0.08, 0.2, 0.3, 0.3, 0.4),
}


def augment(batch: Batch, name: Name, seed: int) -> Batch:
    """A randomly changed copy of a batch, uint8 as before.

    Images of one instance (a sketch and the photo it was drawn from) are mirrored together, so a
    fine-grained pair keeps one pose. Edge maps move with their photos.

    Args:
        batch: photos (P, 3, H, W), sketches (S, 1 or 3, H, W), edges (P, 1, H, W), uint8.
        name: "none" gives the batch itself, "flip" mirrors with probability 1/2, "standard" also
            turns, shifts and scales, and changes the colours of photos.
        seed: of the global batch, `seed_for(seed, "augment", stage, epoch, step)`.
    """
    if name == "none":
        return batch
    strength = STRENGTHS[name]
    draws = torch.Generator().manual_seed(seed)
    changed: dict[str, Any] = {}
    photos, sketches = len(batch.photo_label), len(batch.sketch_label)
    mirror = _mirrors(torch.cat([batch.photo_instance, batch.sketch_instance]).cpu(), draws)
    photo_warp = _warp(mirror[:photos], strength, draws)
    sketch_warp = _warp(mirror[photos:], strength, draws)
    colour = torch.rand(photos, 3, generator=draws) * 2 - 1
    if batch.photo is not None and photos:
        values = move(_floats(batch.photo), photo_warp, "reflection", strength)
        values = _colour(values, colour.to(values.device), strength)
        changed["photo"] = _to_bytes(values)
    if batch.sketch is not None and sketches:
        changed["sketch"] = _move_ink(batch.sketch, sketch_warp, strength)
    if batch.edge is not None and photos:
        changed["edge"] = _move_ink(batch.edge, photo_warp, strength)
    return replace(batch, **changed)


def move(values: Tensor, warp: Tensor, outside: str, strength: Strength) -> Tensor:
    """Warp (n, C, H, W) float images by (n, 2, 3) affine maps from output to input coordinates.

    Pure mirroring is done by reversing rows, which is exact; everything else is bilinear.
    """
    if not (strength.degrees or strength.shift or strength.scale):
        flipped = warp[:, 0, 0].lt(0).to(values.device)
        return torch.where(flipped.view(-1, 1, 1, 1), values.flip(-1), values)
    grid = F.affine_grid(warp.to(values.device), list(values.shape), align_corners=False)
    return F.grid_sample(values, grid, "bilinear", outside, align_corners=False)


def _move_ink(images: Tensor, warp: Tensor, strength: Strength) -> Tensor:
    return _to_bytes(255 - move(255 - _floats(images), warp, "zeros", strength))


def _mirrors(instance: Tensor, draws: torch.Generator) -> Tensor:
    """(n,) ±1: one draw an image, the first image's draw for all of its instance."""
    own = torch.rand(len(instance), generator=draws) < 0.5
    first: dict[int, int] = {}
    for index, number in enumerate(instance.tolist()):
        if number >= 0:
            own[index] = own[first.setdefault(number, index)]
    return 1.0 - 2.0 * own.float()


def _warp(mirror: Tensor, strength: Strength, draws: torch.Generator) -> Tensor:
    """(n, 2, 3) float32 maps from output to input, in coordinates of -1..1."""
    turn, scale, right, down = (torch.rand(len(mirror), 4, generator=draws) * 2 - 1).unbind(1)
    angle = turn * math.radians(strength.degrees)
    shrink = torch.exp(-scale * strength.scale)
    cosine, sine = torch.cos(angle) * shrink, torch.sin(angle) * shrink
    top = torch.stack([cosine * mirror, -sine * mirror, right * 2 * strength.shift], dim=1)
    bottom = torch.stack([sine, cosine, down * 2 * strength.shift], dim=1)
    return torch.stack([top, bottom], dim=1)


def _colour(values: Tensor, draws: Tensor, strength: Strength) -> Tensor:
    """Saturation, then contrast around the image's mean luma, then brightness; in place."""
    if not (strength.brightness or strength.contrast or strength.saturation):
        return values
    widths = torch.tensor([strength.brightness, strength.contrast, strength.saturation])
    factors = (1 + draws * widths.to(draws.device)).view(len(draws), 3, 1, 1)
    bright, contrast, saturation = factors.split(1, dim=1)
    red, green, blue = values.unbind(1)
    luma = (_GREY[0] * red + _GREY[1] * green + _GREY[2] * blue).unsqueeze(1)
    mean = luma.mean((1, 2, 3), keepdim=True)
    # contrast * (luma + saturation * (x - luma) - mean) + mean, times bright
    offset = luma.mul_(contrast * (1 - saturation)).add_(mean * (1 - contrast)).mul_(bright)
    return values.mul_(contrast * saturation * bright).add_(offset)


def _floats(images: Tensor) -> Tensor:
    """Channels first in memory, in which `grid_sample` is quickest."""
    return images.to(torch.float32, memory_format=torch.contiguous_format)


def _to_bytes(values: Tensor) -> Tensor:
    return values.round_().clamp_(0, 255).to(torch.uint8)
