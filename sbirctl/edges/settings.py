"""The methods there are and their parameters; torch-free, so that help and messages stay quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbirctl.core.config import resolve, setting, to_dict
from sbirctl.core.errors import UsageError, nearest
from sbirctl.core.files import digest_json


@dataclass(frozen=True)
class GbColorSettings:
    """Gb on the three CIELAB channels. Radii are shares of the image's diagonal."""

    radius: float = setting(0.016, help="radius of the colour filters, a share of the diagonal")
    chroma: float = setting(1.9, help="weight of a and b beside L")
    thin: bool = setting(False, help="keep only the crest of a boundary")
    low: float = setting(0.0, help="weakest pixel that continues a boundary, of 0..1")
    high: float = setting(0.0, help="strongest pixel a boundary must have, of 0..1; 0: all stay")
    contours: bool = setting(
        False, help="thin, weighed by the contour a pixel lies on (sets low, high)"
    )

    def __post_init__(self) -> None:
        _positive(self, "radius", "chroma")
        if not 0 <= self.low <= self.high <= 1:
            raise UsageError(
                f"low={self.low} and high={self.high} are no pair of hysteresis thresholds.",
                "They must satisfy 0 <= low <= high <= 1.",
            )


@dataclass(frozen=True)
class GbSettings(GbColorSettings):
    """Gb on colour, multiplied by Gb on the layers of a soft segmentation."""

    soft_radius: float = setting(
        0.041, help="radius of filters on soft segments, share of the diagonal"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self, "soft_radius")


@dataclass(frozen=True)
class CannySettings:
    """OpenCV's Canny on the grey image (thresholds on the L2 norm of 3x3 Sobel responses)."""

    low: float = setting(100.0, help="weakest gradient that continues an edge")
    high: float = setting(200.0, help="gradient an edge must reach somewhere")
    sigma: float = setting(1.0, help="deviation of the Gaussian blur before it in pixels; 0: none")

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise UsageError(
                f"low={self.low} and high={self.high} are no pair of hysteresis thresholds.",
                "They must satisfy 0 <= low <= high.",
            )
        if self.sigma < 0:
            raise UsageError(f"sigma={self.sigma} is negative.", "Use 0 for no blur.")


EdgeSettings = GbColorSettings | CannySettings
METHODS: dict[str, type[EdgeSettings]] = {
    "canny": CannySettings,
    "gb": GbSettings,
    "gb-color": GbColorSettings,
}


def edge_settings(method: str, parameters: Mapping[str, Any] | None = None) -> EdgeSettings:
    """The parameters of a method that hold.

    Raises:
        UsageError: an unknown method or parameter (the nearest is named), or a bad value.
    """
    if method not in METHODS:
        raise UsageError(f"There is no edge method {method!r}.", nearest(method, METHODS))
    return resolve(METHODS[method], dict(parameters or {}))


def edge_digest(method: str, settings: EdgeSettings) -> str:
    """Eight hexadecimal digits that stand for a method with its parameters, for file names."""
    return digest_json({"method": method, "parameters": to_dict(settings)})[:8]


def _positive(settings: object, *names: str) -> None:
    for name in names:
        if getattr(settings, name) <= 0:
            raise UsageError(f"{name}={getattr(settings, name)} is not positive.")
