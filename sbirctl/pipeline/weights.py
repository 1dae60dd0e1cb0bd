"""`weights`: open weights to start from, and what an image costs with them here."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from sbirctl.core.errors import UsageError, nearest
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import MODELS, NamedWeights, misfit, named_weights, starting_models

_TIMED = 5


def rows(
    names: Sequence[str] = (),
    *,
    model: str = "",
    measure: bool = False,
    report: Reporter = SILENT,
) -> list[dict[str, Any]]:
    """One row a set of weights.

    Args:
        names: which ones, all where none is named.
        model: only those that this model can start from.
        measure: also time an image with each network, on one image at a time.

    Returns:
        The fields of `NamedWeights`, `text` and `megabytes`; with `measure` `milliseconds`, the
        median over a few images.

    Raises:
        UsageError: there are no such weights, or no such model.
    """
    known = named_weights()
    for name in names:
        if name not in known:
            raise UsageError(f"There are no weights {name!r}.", nearest(name, known))
    if model and model not in MODELS:
        raise UsageError(f"There is no model {model!r}.", nearest(model, MODELS.names()))
    found = []
    left = 0
    for one in (known[name] for name in names or known):
        if model and model not in starting_models(one):
            reason = misfit(model, one)
            left += bool(reason)
            if names and reason:
                report.note(f"{one.name} does not fit {model}: {reason}.")
            continue
        row = _row(one)
        if measure:
            report.note(f"timing {one.name}")
            row["milliseconds"] = milliseconds(one)
        found.append(row)
    if left and not names:
        report.note(f"{left} networks of that kind do not fit {model}; name one to see why.")
    return found


def milliseconds(weights: NamedWeights) -> float:
    """What one image costs on the processor, with random values: they cost the same."""
    import torch

    from sbirctl.models import create

    model = create(
        weights.plain_model, device="cpu", dtype="fp32", weights="none", layers=[weights.layer]
    ).eval()
    image = torch.zeros((1, 3, weights.size, weights.size), dtype=torch.uint8)
    seconds = []
    with torch.no_grad():
        model.embed(image, "photo")
        for _ in range(_TIMED):
            begun = time.perf_counter()
            model.embed(image, "photo")
            seconds.append(time.perf_counter() - begun)
    return 1000 * statistics.median(seconds)


def _row(one: NamedWeights) -> dict[str, Any]:
    return {
        "name": one.name,
        "size": one.size,
        "dim": one.dim,
        "text": one.text,
        "megabytes": round(one.megabytes),
        "licence": one.licence,
        "data": one.data,
        "network": f"{one.model} {one.tag}".strip(),
        "library": one.library,
        "mean": list(one.mean),
        "std": list(one.std),
        "resize": one.resize,
        "parameters": one.parameters,
        "image_parameters": one.image_parameters,
        "figure": one.figure,
    }
