"""Augmentation of whole batches on their own device; white paper stays white.

All draws come from one seed for the global batch, so workers, processes and resuming cannot change
what is trained on. Sketches are warped as ink (255 - value) with nothing outside, so a rotated
sketch gets white corners and blank paper stays exactly 255; photos are continued by reflection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sbirctl.models import Augmentation
from sbirctl.sampling.batch import Batch
from sbirctl.training.released_augment import released_augment

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma, as in every photo library


@dataclass(frozen=True)
class Strength:
    """Half-widths of uniform draws.

    Attributes:
        degrees: rotation, degrees.
        shift: translation, of the image's side.
        scale: logarithm of the magnification.
        brightness, contrast, saturation: of photos, around a factor of 1.
        grey: share of the photos that lose their colours, which a sketch does not have.
    """

    degrees: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    grey: float = 0.0


STRENGTHS = {
    "standard": Strength(15.0, 0.08, 0.2, 0.3, 0.3, 0.4),
    "strong": Strength(25.0, 0.12, 0.35, 0.4, 0.4, 0.8, 0.5),
}


def augment(batch: Batch, name: Augmentation, seed: int) -> Batch:
    """A randomly changed copy of a batch, uint8 as before.

    Images of one instance (a sketch and the photo it was drawn from) are mirrored together, so a
    fine-grained pair keeps one pose. Edge maps move with their photos.

    Args:
        batch: photos (P, 3, H, W), sketches (S, 1 or 3, H, W), edges (P, 1, H, W), uint8.
        name: "none" gives the batch itself, "flip" mirrors with probability 1/2, "standard" also
            turns, shifts and scales, and changes the colours of photos; "strong" does more of it
            and makes half of the photos grey; "released": see `training.released_augment`.
        seed: of the global batch, `seed_for(seed, "augment", stage, epoch, step)`.
    """
    if name == "none":
        return batch
    if name == "released":
        return released_augment(batch, seed)
    draws = torch.Generator().manual_seed(seed)
    changed: dict[str, Any] = {}
    whole, (own_photos, own_sketches) = batch.whole, batch.rows
    photos = len(whole.photo_label)
    mirror = _mirrors(torch.cat([whole.photo_instance, whole.sketch_instance]), draws)
    if name == "flip":
        photo_mirror, sketch_mirror = mirror[:photos][own_photos], mirror[photos:][own_sketches]
        sides = {"photo": photo_mirror, "sketch": sketch_mirror, "edge": photo_mirror}
        for side, signs in sides.items():
            images = getattr(batch, side)
            changed[side] = None if images is None else _mirrored(images, signs)
        return replace(batch, **changed)
    strength = STRENGTHS[name]
    photo_warp = _warp(mirror[:photos], strength, draws)[own_photos]
    sketch_warp = _warp(mirror[photos:], strength, draws)[own_sketches]
    colour = torch.rand(photos, 3, generator=draws) * 2 - 1
    if strength.grey:  # without saturation a photo is grey
        chosen = torch.rand(photos, generator=draws) < strength.grey
        colour[chosen, 2] = -1 / strength.saturation
    colour = colour[own_photos]
    if batch.photo is not None and len(photo_warp):
        values = move(_floats(batch.photo), photo_warp, "reflection")
        values = _colour(values, _sent(colour, values), strength)
        changed["photo"] = _to_bytes(values)
    if batch.sketch is not None and len(sketch_warp):
        changed["sketch"] = _move_ink(batch.sketch, sketch_warp)
    if batch.edge is not None and len(photo_warp):
        changed["edge"] = _move_ink(batch.edge, photo_warp)
    return replace(batch, **changed)


def move(values: Tensor, warp: Tensor, outside: str) -> Tensor:
    """Warp (n, C, H, W) float images by (n, 2, 3) affine maps, bilinearly.

    Args:
        warp: from output to input, in coordinates of -1..1 (`align_corners=False`).
        outside: "zeros" or "reflection".
    """
    height, width = values.shape[-2:]
    warp = _sent(warp, values)
    x = (torch.arange(width, device=values.device) * 2 + 1) / width - 1
    y = (torch.arange(height, device=values.device) * 2 + 1) / height - 1
    # `affine_grid` does this as a matrix product with K = 3, at several times the cost.
    across = warp[:, None, None, :, 0] * x[None, None, :, None]
    down = warp[:, None, None, :, 1] * y[None, :, None, None] + warp[:, None, None, :, 2]
    return F.grid_sample(values, across + down, "bilinear", outside, align_corners=False)


def _move_ink(images: Tensor, warp: Tensor) -> Tensor:
    return _to_bytes(255 - move(255 - _floats(images), warp, "zeros"))


def _mirrored(images: Tensor, mirror: Tensor) -> Tensor:
    """Only mirroring is exact, and done on the bytes."""
    changed = images.clone()
    chosen = _sent((mirror < 0).nonzero()[:, 0], images)
    changed[chosen] = images[chosen].flip(-1)
    return changed


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
    widths = torch.tensor([strength.brightness, strength.contrast, strength.saturation])
    factors = (1 + draws * _sent(widths, draws)).view(len(draws), 3, 1, 1)
    bright, contrast, saturation = factors.split(1, dim=1)
    red, green, blue = values.unbind(1)
    luma = (_GREY[0] * red + _GREY[1] * green + _GREY[2] * blue).unsqueeze(1)
    mean = luma.mean((1, 2, 3), keepdim=True)
    # contrast * (luma + saturation * (x - luma) - mean) + mean, times bright
    offset = luma.mul_(contrast * (1 - saturation)).add_(mean * (1 - contrast)).mul_(bright)
    return values.mul_(contrast * saturation * bright).add_(offset)


def _sent(draws: Tensor, to: Tensor) -> Tensor:
    """Draws on the images' device, without waiting for what it still has to do."""
    return draws.to(to.device, non_blocking=True)


def _floats(images: Tensor) -> Tensor:
    """Channels first in memory, in which `grid_sample` is quickest."""
    return images.to(torch.float32, memory_format=torch.contiguous_format)


def _to_bytes(values: Tensor) -> Tensor:
    return values.round_().clamp_(0, 255).to(torch.uint8)
