"""Edge maps of photos: Gb (colour, and colour with soft segmentation) and Canny."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sbirctl.core.errors import MissingError
from sbirctl.edges.settings import METHODS, EdgeSettings, edge_digest, edge_settings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["METHODS", "EdgeSettings", "edge_digest", "edge_maps", "edge_settings", "known_maps"]


def edge_maps(photos: Tensor, method: str = "gb", **parameters: Any) -> Tensor:
    """Edge maps, dark lines on white, as sketches are.

    Deterministic, and a photo's map does not depend on the others in the call.

    Args:
        photos: (n, 3, H, W) uint8 on the processor or a CUDA device; sides of 8 pixels and more.
        method: "gb", "gb-color" or "canny".
        parameters: of the method, see `METHODS[method]`.

    Returns:
        (n, 1, H, W) uint8 on the photos' device: 255 - 255 x strength.

    Raises:
        UsageError: an unknown method or parameter, or photos of another type or shape.
    """
    from sbirctl.edges.batched import compute

    return compute(photos, edge_settings(method, parameters))


def known_maps(photos: Tensor, method: str, parameters: Mapping[str, Any]) -> Tensor:
    """Edge maps as a store's were made, see `edge_maps`.

    Raises:
        MissingError: the store's were taken from a folder.
    """
    if method not in METHODS:
        raise MissingError(
            f"The photos have no edge maps, and the model's own came from {method!r}.",
            "Prepare a data set with their edge maps.",
        )
    return edge_maps(photos, method, **parameters)
