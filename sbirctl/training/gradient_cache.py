"""Gradients of a batch that is encoded in pieces, the same as in one piece.

In-batch losses (normalised softmax against prototypes aside) compare every sketch with every photo
of the batch, so the mean of the losses of pieces is not the loss of the batch. With `accumulate`
pieces the gradients are therefore cached at the embeddings (Gao et al. 2021, "Scaling Deep
Contrastive Learning Batch Size under Memory Limited Setup"): all pieces are encoded without a
graph, the losses of the *whole* batch give the gradients of its embeddings, and each piece is
encoded again with a graph to carry them on. That is exact for every loss, at the price of one more
forward pass, except that batch statistics (BatchNorm in training mode) are those of the pieces.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.amp import GradScaler

from sbirctl.core.errors import UsageError
from sbirctl.core.seeds import seed_for
from sbirctl.models import Model
from sbirctl.sampling.batch import Batch, Encoded
from sbirctl.training.all_gather import SIDES, all_gather, concatenate
from sbirctl.training.parallel import average_gradients


def cached_gradients(
    model: Model,
    batch: Batch,
    stage: str,
    pieces: int,
    seed: int,
    autocast: AbstractContextManager[object],
    scaler: GradScaler | None,
) -> dict[str, Tensor]:
    """See `training.step.gradients`, with more than one piece."""
    if batch.share is not None:  # the last batch's share may be small
        pieces = min(pieces, max(len(batch.photo_label), len(batch.sketch_label)))
    parts = split(batch, pieces)
    encoded = []
    with torch.no_grad(), autocast:
        for index, part in enumerate(parts):
            torch.manual_seed(seed_for(seed, index))
            encoded.append(model.encode(part))
    leaves = [_detached(one) for one in encoded]
    photos = [len(part.photo_label) for part in parts]
    whole = concatenate(leaves, photos, [len(part.sketch_label) for part in parts])
    torch.manual_seed(seed)
    with autocast:
        if batch.share is not None:
            whole = all_gather(whole, batch.share)
        terms = model.losses(whole, batch.whole, stage)
    (scaler.scale(terms["total"]) if scaler else terms["total"]).backward()
    for index, part in enumerate(parts):
        torch.manual_seed(seed_for(seed, index))
        with autocast:
            again = model.encode(part)
        _backward_cached(again, leaves[index])
    if batch.share is not None:
        average_gradients(model.parameters(), len(batch.share.photos))
    return {name: value.detach() for name, value in terms.items()}


def split(batch: Batch, pieces: int) -> list[Batch]:
    """Contiguous pieces of equal size; tuples, which number the whole batch's rows, are left out.

    Raises:
        UsageError: the batch is smaller than the number of pieces.
    """
    photos, sketches = len(batch.photo_label), len(batch.sketch_label)
    if max(photos, sketches) < pieces:
        raise UsageError(
            f"accumulate={pieces} is more than the images of a batch.",
            "Make it smaller, or the batch larger.",
        )
    made = []
    for index in range(pieces):
        p = slice(index * photos // pieces, (index + 1) * photos // pieces)
        s = slice(index * sketches // pieces, (index + 1) * sketches // pieces)
        made.append(
            Batch(
                photo=None if batch.photo is None else batch.photo[p],
                sketch=None if batch.sketch is None else batch.sketch[s],
                edge=None if batch.edge is None else batch.edge[p],
                photo_label=batch.photo_label[p],
                sketch_label=batch.sketch_label[s],
                photo_instance=batch.photo_instance[p],
                sketch_instance=batch.sketch_instance[s],
                tuples=None,
                ids=batch.ids[:photos][p] + batch.ids[photos:][s],
            )
        )
    return made


def _detached(encoded: Encoded) -> Encoded:
    """The same values, to take gradients at."""
    sides: dict[str, Any] = {side: _leaf(getattr(encoded, side)) for side in SIDES}
    return Encoded(**sides, extra={name: _required(v) for name, v in encoded.extra.items()})


def _required(value: Tensor) -> Tensor:
    return value.detach().requires_grad_(value.is_floating_point())


def _leaf(value: Tensor | None) -> Tensor | None:
    return None if value is None else _required(value)


def _backward_cached(again: Encoded, leaf: Encoded) -> None:
    outputs: list[Tensor] = []
    grads: list[Tensor] = []
    pairs = [(getattr(again, side), getattr(leaf, side)) for side in SIDES]
    pairs += [(again.extra[name], leaf.extra[name]) for name in leaf.extra]
    for output, kept in pairs:
        if output is not None and output.requires_grad and kept.grad is not None:
            outputs.append(output)
            grads.append(kept.grad)
    if outputs:
        torch.autograd.backward(outputs, grads)
