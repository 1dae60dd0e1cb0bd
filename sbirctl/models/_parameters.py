"""How many parameters each part of a model has."""

from __future__ import annotations

from sbirctl.core.errors import UsageError
from sbirctl.models._base import Model
from sbirctl.models._recipe import ModelSettings


def parameters_by_part(model: Model) -> dict[str, int]:
    """Parameters by the groups of the recipe, in its order; "frozen" are in none of them.

    Args:
        model: made with training classes, where it is trainable.
    """
    counts: dict[str, int] = {}
    grouped: set[int] = set()
    for stage in model.recipe() if model.trainable else ():
        for group in stage.groups:
            new = [p for p in group.params if id(p) not in grouped]
            grouped |= {id(p) for p in new}
            counts[group.name] = counts.get(group.name, 0) + sum(p.numel() for p in new)
    rest = sum(p.numel() for p in model.parameters() if id(p) not in grouped)
    return {**counts, **({"frozen": rest} if rest else {})}


def count_parts(model: type[Model], settings: ModelSettings) -> dict[str, int]:
    """`parameters_by_part` with one training class, where possible without the values."""
    import torch

    try:
        with torch.device("meta"):
            return parameters_by_part(model(settings, ("one",)))
    except UsageError:  # open_clip moves its towers, which tensors without values refuse
        return parameters_by_part(model(settings, ("one",)))
