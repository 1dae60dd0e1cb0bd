"""Gradients in pieces are the gradients of the whole batch."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from sbirctl.core.errors import UsageError
from sbirctl.training.gradient_cache import split
from sbirctl.training.loader import BatchLoader, to_rgb
from sbirctl.training.step import gradients


@pytest.fixture
def batch(partition):
    loader = BatchLoader(partition.train, torch.device("cpu"), 0)
    from tiny_world import ShuffledPlan

    return to_rgb(next(loader.batches(ShuffledPlan(8).batches(partition.train, 0, 3))))


def found(model, batch, pieces):
    model.eval()  # no batch statistics, no dropout: then pieces are exact
    terms = gradients(model, batch, "first", pieces=pieces, seed=4, autocast=nullcontext())
    return terms, {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("pieces", [2, 3, 8])
def test_pieces_give_the_gradients_of_the_whole(make_model, batch, pieces):
    """The pairs loss compares every sketch with every photo: a mean over pieces would differ."""
    terms, whole = found(make_model(), batch, 1)
    cached_terms, cached = found(make_model(), batch, pieces)
    for name, value in terms.items():
        assert torch.allclose(value, cached_terms[name], atol=1e-6)
    for name, grad in whole.items():
        assert torch.allclose(grad, cached[name], atol=1e-6), name


def test_dropout_is_drawn_again_in_the_second_pass(make_model, batch):
    """Both passes of a piece must see the same masks: the gradients agree with autograd's own."""
    model = make_model(dropout=0.5)
    model.train()
    model.norm.eval()
    gradients(model, batch, "first", pieces=2, seed=4, autocast=nullcontext())
    one = model.conv.weight.grad.clone()
    model.zero_grad()
    gradients(model, batch, "first", pieces=2, seed=4, autocast=nullcontext())
    assert torch.equal(one, model.conv.weight.grad)
    model.zero_grad()
    gradients(model, batch, "first", pieces=2, seed=5, autocast=nullcontext())
    assert not torch.equal(one, model.conv.weight.grad)


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_scaled_loss_has_gradients_so_many_times_larger(make_model, batch, pieces):
    _, plain = found(make_model(), batch, pieces)
    model = make_model().eval()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    terms = gradients(
        model, batch, "first", pieces=pieces, seed=4, autocast=nullcontext(), scaler=scaler
    )
    for name, grad in model.named_parameters():
        torch.testing.assert_close(grad.grad, 1024 * plain[name], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(terms["total"], terms["softmax"] + terms["pairs"])


def test_split_of_more_photos_than_sketches_keeps_every_sketch(batch):
    few = replace(batch, sketch=batch.sketch[:5], sketch_label=batch.sketch_label[:5],
                  sketch_instance=batch.sketch_instance[:5], ids=batch.ids[:13])  # fmt: skip
    pieces = split(few, 2)
    assert [(len(p.photo), len(p.sketch)) for p in pieces] == [(4, 2), (4, 3)]
    assert torch.equal(torch.cat([p.sketch for p in pieces]), few.sketch)
    assert torch.equal(torch.cat([p.sketch_label for p in pieces]), few.sketch_label)
    assert pieces[1].ids == few.ids[4:8] + few.ids[10:13]


def test_split_keeps_every_image_and_its_id(batch):
    pieces = split(batch, 3)
    assert torch.equal(torch.cat([p.photo for p in pieces]), batch.photo)
    assert torch.equal(torch.cat([p.sketch_label for p in pieces]), batch.sketch_label)
    photos = [i for p in pieces for i in p.ids[: len(p.photo)]]
    assert tuple(photos) == batch.ids[: len(batch.photo)]


def test_more_pieces_than_images_is_refused(batch):
    with pytest.raises(UsageError, match="accumulate=9"):
        split(batch, 9)
