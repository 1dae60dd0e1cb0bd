"""The embeddings of a whole batch, put together from pieces or from other processes' shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from sbirctl.sampling.batch import Encoded, Share

SIDES = ("photo", "sketch", "edge")


def concatenate(
    pieces: Sequence[Encoded], photos: Sequence[int], sketches: Sequence[int]
) -> Encoded:
    """One after the other; what follows photos, then sketches, keeps that order.

    Args:
        pieces: of a batch, in order.
        photos, sketches: rows of each piece.
    """

    def side(name: str) -> Tensor | None:
        found = [getattr(piece, name) for piece in pieces]
        return None if found[0] is None else torch.cat(found)

    def extra(name: str) -> Tensor:
        values = [piece.extra[name] for piece in pieces]
        both = [p + s for p, s in zip(photos, sketches, strict=True)]
        if [len(value) for value in values] != both:
            return torch.cat(values)
        heads = [value[:p] for value, p in zip(values, photos, strict=True)]
        tails = [value[p:] for value, p in zip(values, photos, strict=True)]
        return torch.cat([*heads, *tails])

    sides: dict[str, Any] = {name: side(name) for name in SIDES}
    return Encoded(**sides, extra={name: extra(name) for name in pieces[0].extra})


def all_gather(own: Encoded, share: Share) -> Encoded:
    """The whole batch's embeddings, from every process's share of them, with gradient.

    Every process computes the losses of the whole batch, so the gradient of its own rows is known
    to it without asking the others. It is given on times the number of processes: averaged over
    them, as gradients of parameters are, it is the gradient of the whole batch.

    Args:
        own: rows of this process, as `share` says.
    """
    photos, sketches, rank = share.photos, share.sketches, share.rank
    held = (share.photo.stop - share.photo.start, share.sketch.stop - share.sketch.start)

    def side(name: str) -> Tensor | None:
        value = getattr(own, name)
        counts = sketches if name == "sketch" else photos
        return None if value is None else _all_rows(value, counts, rank)

    def extra(value: Tensor) -> Tensor:
        if len(value) == sum(held):
            head, tail = value.split(held)
            return torch.cat([_all_rows(head, photos, rank), _all_rows(tail, sketches, rank)])
        return _all_rows(value, photos if len(value) == held[0] else sketches, rank)

    sides: dict[str, Any] = {name: side(name) for name in SIDES}
    return Encoded(**sides, extra={name: extra(value) for name, value in own.extra.items()})


def _all_rows(own: Tensor, counts: tuple[int, ...], rank: int) -> Tensor:
    gather: Callable[..., Tensor] = _Gather.apply
    return gather(own[: counts[rank]], counts, rank)


class _Context(FunctionCtx):
    counts: tuple[int, ...]
    rank: int


class _Gather(torch.autograd.Function):
    """Rows of all processes by rank, (sum(counts), …), from (counts[rank], …) of this one."""

    @staticmethod
    def forward(ctx: _Context, own: Tensor, counts: tuple[int, ...], rank: int) -> Tensor:
        ctx.counts, ctx.rank = counts, rank
        padded = own.new_zeros((max(counts), *own.shape[1:]))
        padded[: len(own)] = own
        found = [torch.empty_like(padded) for _ in counts]
        torch.distributed.all_gather(found, padded)
        return torch.cat([rows[:count] for rows, count in zip(found, counts, strict=True)])

    @staticmethod
    def backward(ctx: _Context, *grads: Tensor) -> tuple[Tensor, None, None]:
        start = sum(ctx.counts[: ctx.rank])
        own = grads[0][start : start + ctx.counts[ctx.rank]]
        return own * len(ctx.counts), None, None
