"""Gb's core: the strength and orientation of a boundary common to several image layers.

M. Leordeanu, R. Sukthankar, C. Sminchisescu: Generalized Boundaries from Multiple Image
Interpretations, IEEE TPAMI 36(7), 2014 (ECCV 2012). Around a pixel every layer is taken to be a
step along one common normal; Gaussian-weighted least squares for the normal and the steps'
heights has a closed form, the larger eigenvalue of a 2x2 matrix.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor


def unit_range(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Values stretched to 0..1 over `dims`; where they are all equal, 0."""
    low = values.amin(dims, keepdim=True)
    span = values.amax(dims, keepdim=True) - low
    return (values - low) / torch.where(span > 0, span, 1)


def filter_radius(share: float, height: int, width: int) -> int:
    """A share of the image's diagonal in whole pixels, at least 1."""
    return max(1, round(share * math.hypot(height, width)))


def gradient_filters(radius: int) -> Tensor:
    """The two filters that measure a step's height along y and x.

    A Gaussian of deviation radius / (2 sqrt 2) times the unit vector from the centre, on a disc,
    scaled so that a unit step gives 1/2 at the pixels beside it.

    Returns:
        (2, 2 radius + 1, 2 radius + 1) float64: the filter along y (downwards), then along x.
    """
    offset = torch.arange(-radius, radius + 1, dtype=torch.float64)
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    distance = torch.hypot(y, x)
    weight = torch.exp(-4 * distance**2 / radius**2)  # s = radius / (2 sqrt 2), so 2 s² = r² / 4
    weight = torch.where(distance <= radius, weight / distance.clamp(min=1), 0)
    filters = torch.stack([weight * y, weight * x])
    return filters / filters[0].abs().sum()


def step_responses(layers: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Every layer correlated with both filters, the image mirrored beyond its border.

    Computed by FFT: the filters do not separate, and from radius 6 on this is quicker than direct
    convolution on a CPU.

    Args:
        layers: (n, K, H, W) float32.

    Returns:
        Responses along y and along x, each (n, K, H, W).
    """
    height, width = layers.shape[-2:]
    # The filters ignore a constant; taking the middle away keeps a flat layer exactly 0.
    layers = layers - (layers.amin((2, 3), keepdim=True) + layers.amax((2, 3), keepdim=True)) / 2
    size = (_good_size(height + 2 * radius), _good_size(width + 2 * radius))
    spectrum = torch.fft.rfft2(_framed(layers, radius, size))
    filters = _filter_spectra(radius, size, layers.device, layers.dtype)
    along_y, along_x = (
        torch.fft.irfft2(spectrum * one, s=size)[..., :height, :width] for one in filters
    )
    return along_y, along_x


def boundary(layers: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Strength and normal of the boundary that all layers share at each pixel.

    Args:
        layers: (n, K, H, W) float32; a layer's scale is its weight, its offset does not matter.
        radius: of the filters, in pixels.

    Returns:
        strength, (n, H, W): square root of the larger eigenvalue of the 2x2 matrix of responses,
        the norm of the vector of half step heights; and angle, (n, H, W): the normal's direction
        in degrees, 0 <= angle < 180, anticlockwise from the x axis.
    """
    yy, xx, xy = torch.zeros(3, *layers[:, 0].shape, device=layers.device)
    for layer in layers.split(1, dim=1):  # one by one they fit a processor's cache
        along_y, along_x = (response[:, 0] for response in step_responses(layer, radius))
        yy.addcmul_(along_y, along_y)
        xx.addcmul_(along_x, along_x)
        xy.addcmul_(along_x, along_y)
    strength = ((yy + xx) / 2 + torch.hypot((yy - xx) / 2, xy)).sqrt()
    angle = torch.rad2deg(torch.atan2(-2 * xy, xx - yy)) / 2
    angle = torch.where(angle < 0, angle + 180, angle)
    return strength, torch.where(angle < 180, angle, 0)  # a tiny negative angle rounds to 180


def _framed(layers: Tensor, margin: int, size: tuple[int, int]) -> Tensor:
    """Layers at (margin, margin) of a larger plane, amid their mirror image of that margin."""
    height, width = layers.shape[-2:]
    plane = layers.new_zeros(*layers.shape[:2], *size)
    rows, columns = slice(margin, margin + height), slice(margin, margin + width)
    plane[..., rows, columns] = layers
    for side, index in zip(_outside(columns), _mirrored(width, margin, layers.device), strict=True):
        plane[..., rows, side] = layers.index_select(3, index)
    inner = plane[..., rows, :]
    for side, index in zip(_outside(rows), _mirrored(height, margin, layers.device), strict=True):
        plane[..., side, :] = inner.index_select(2, index)
    return plane


def _outside(inside: slice) -> tuple[slice, slice]:
    return slice(0, inside.start), slice(inside.stop, inside.stop + inside.start)


@lru_cache(maxsize=64)
def _mirrored(length: int, margin: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where the pixels before and behind an axis are mirrored, the edge pixel repeated."""
    places = torch.arange(margin, device=device)
    before, behind = (
        torch.where(place < length, place, 2 * length - 1 - place)
        for place in ((places - margin) % (2 * length), (places + length) % (2 * length))
    )
    return before, behind


@lru_cache(maxsize=64)
def _good_size(length: int) -> int:
    """The next multiple of 8 without a prime factor above 7, at which the FFT is quick."""
    size = -(-length // 8) * 8
    while True:
        rest = size
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 8


@lru_cache(maxsize=16)
def _filter_spectra(
    radius: int, size: tuple[int, int], device: torch.device, dtype: torch.dtype
) -> Tensor:
    spectra = torch.fft.rfft2(gradient_filters(radius), s=size).conj()
    moved: Tensor = spectra.to(device=device, dtype=dtype.to_complex()).resolve_conj()
    return moved
