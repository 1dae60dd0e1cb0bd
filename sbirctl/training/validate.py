"""Retrieval figures of a part while training: the held-out part chooses, the test part never."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbirctl.core.errors import MismatchError
from sbirctl.core.processes import ALONE, Group
from sbirctl.datasets.parts import Part
from sbirctl.models.base import Model
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.metrics import parse
from sbirctl.training.assemble import to_embeddings
from sbirctl.training.embedding import embed_side

# The figure that chooses the epoch, on the validation part.
CHOOSES = "map@all"
_ALWAYS = (CHOOSES, "prec@10")
_PAIRED = ("acc@1", "acc@10")


def validate(
    model: Model,
    part: Part,
    facts: Mapping[str, Any],
    *,
    workers: int | None = None,
    group: Group = ALONE,
) -> dict[str, float]:
    """The figures of a part's sketches against its photos, by name, in the default definition.

    Args:
        facts: the task's; the fine-grained task has acc@K, too.
        group: the processes that embed; the first one evaluates.

    Raises:
        MismatchError: no sketch of the part has a photo of its class in it.
    """
    query = embed_side(model, part.sketch, workers=workers, group=group)
    gallery = embed_side(model, part.photo, workers=workers, group=group)
    names = _ALWAYS + (_PAIRED if facts.get("task") == "fg" else ())

    def figures() -> dict[str, float | None]:
        embeddings = to_embeddings(part, query, gallery, facts)
        (result,) = evaluate(embeddings, [parse(name) for name in names], [Definition()])
        return {name: result.mean(name) for name in names}

    found = group.from_first(figures)
    if found[CHOOSES] is None:
        raise MismatchError(
            "No sketch of the validation part has a photo of its class.", "Use --set val=none."
        )
    return {name: value for name, value in found.items() if value is not None}
