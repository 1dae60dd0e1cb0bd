"""Retrieval figures while training: the validation subset chooses the epoch, the test never."""

from __future__ import annotations

from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.core.errors import MismatchError
from sbirctl.models import Model
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.metrics import parse
from sbirctl.retrieval.provenance import Provenance
from sbirctl.sampling.subsets import Subset
from sbirctl.training.embedding import embed_side, to_embeddings

# The figure that chooses the epoch, on the validation subset.
SELECTION_METRIC = "map@all"
_ALWAYS = (SELECTION_METRIC, "prec@10")
_PAIRED = ("acc@1", "acc@10")


def validate(
    model: Model,
    subset: Subset,
    provenance: Provenance,
    *,
    workers: int | None = None,
    group: ProcessGroup = SINGLE,
) -> dict[str, float]:
    """The figures of a subset's sketches against its photos, by name, in the default definition.

    Args:
        provenance: the partition's; the fine-grained task has acc@K, too.
        group: the processes that embed; the first one evaluates.

    Raises:
        MismatchError: no sketch of the subset has a photo of its class in it.
    """
    query = embed_side(model, subset.sketch, workers=workers, group=group)
    gallery = embed_side(model, subset.photo, workers=workers, group=group)
    names = _ALWAYS + (_PAIRED if provenance.task == "fg" else ())

    def figures() -> dict[str, float | None]:
        embeddings = to_embeddings(subset, query, gallery, provenance)
        (result,) = evaluate(embeddings, [parse(name) for name in names], [Definition()])
        return {name: result.mean(name) for name in names}

    found = group.broadcast_from_first(figures)
    if found[SELECTION_METRIC] is None:
        raise MismatchError(
            "No sketch of the validation subset has a photo of its class.", "Use --set val=none."
        )
    return {name: value for name, value in found.items() if value is not None}
