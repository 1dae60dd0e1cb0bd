"""Canny edge maps by OpenCV: quick, binary, with thresholds chosen by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from sbirctl.edges.settings import CannySettings


def canny_edges(photos: Tensor, settings: CannySettings) -> Tensor:
    """J. Canny: A computational approach to edge detection, IEEE TPAMI 8(6), 1986.

    Args:
        photos: (n, 3, H, W) uint8; worked on by the processor wherever they lie.

    Returns:
        (n, H, W) float32, 0 or 1.
    """
    import cv2

    edges = []
    for photo in photos.permute(0, 2, 3, 1).cpu().numpy():
        grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        if settings.sigma > 0:
            grey = cv2.GaussianBlur(grey, (0, 0), settings.sigma)
        found = cv2.Canny(grey, settings.low, settings.high, apertureSize=3, L2gradient=True)
        edges.append(torch.from_numpy(found))
    return (torch.stack(edges) > 0).float().to(photos.device)
