"""What the scripts share that run a released code beside ours."""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import Tensor


def arguments(description: str | None, steps: int) -> argparse.ArgumentParser:
    """A parser that knows the checkout and the number of steps."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--steps", type=int, default=steps)
    return parser


def largest(difference: Tensor) -> float:
    """The largest absolute value."""
    return float(difference.detach().abs().max())


def shown(found: dict[str, float]) -> str:
    """Differences in a line, with their names."""
    return ", ".join(f"{name} {value:.1e}" for name, value in found.items())
