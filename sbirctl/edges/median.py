"""A wide median filter in 256 levels: what OpenCV does in constant time, elsewhere by sorting."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def median_filter(layers: Tensor, size: int) -> Tensor:
    """Median over size x size windows, zeros beyond the border.

    Each layer is first rounded to 256 levels of its own range, so that devices agree and OpenCV's
    constant-time filter for bytes can be used.

    Args:
        layers: (n, K, H, W) float32.
        size: side of the window, odd.

    Returns:
        (n, K, H, W) float32 in the layers' own range.
    """
    low = layers.amin((2, 3), keepdim=True).clamp(max=0)  # the border's 0 is a level too
    step = (layers.amax((2, 3), keepdim=True).clamp(min=0) - low) / 255
    step = torch.where(step > 0, step, 1)
    levels = ((layers - low) / step).round().to(torch.uint8)
    border = (-low / step).round().to(torch.uint8)
    by = _by_opencv if layers.device.type == "cpu" else _by_sorting
    return by(_bordered(levels, border, size // 2), size).to(layers.dtype) * step + low


def _bordered(levels: Tensor, border: Tensor, margin: int) -> Tensor:
    n, K, height, width = levels.shape
    framed = border.expand(n, K, height + 2 * margin, width + 2 * margin).clone()
    framed[..., margin : margin + height, margin : margin + width] = levels
    return framed


def _by_opencv(framed: Tensor, size: int) -> Tensor:
    import cv2

    margin = size // 2
    filtered = [cv2.medianBlur(layer, size) for layer in framed.flatten(0, 1).numpy()]
    inner = torch.stack([torch.from_numpy(layer) for layer in filtered]).view(framed.shape)
    return inner[..., margin:-margin, margin:-margin]


def _by_sorting(framed: Tensor, size: int) -> Tensor:
    n, K, height, width = framed.shape
    shape = (height - size + 1, width - size + 1)
    rows = []
    for layer in framed.flatten(0, 1):  # one at a time: a window's pixels all lie in memory
        windows = F.unfold(layer[None, None].float(), size)
        rows.append(windows.median(1).values.view(shape))
    return torch.stack(rows).view(n, K, *shape).to(framed.dtype)
