"""The augmentation of FFMLN's authors."""

from __future__ import annotations

import pytest
import torch

from sbirctl.core.errors import UsageError
from sbirctl.models import MODELS, resolve_settings
from sbirctl.sampling.batch import Batch
from sbirctl.training.augment import augment


def white(n: int = 24) -> Batch:
    labels = torch.zeros(n, dtype=torch.int64)
    return Batch(
        photo=torch.randint(0, 256, (n, 3, 16, 16), dtype=torch.uint8),
        sketch=torch.full((n, 1, 16, 16), 255, dtype=torch.uint8),
        edge=None,
        photo_label=labels,
        sketch_label=labels,
        photo_instance=labels - 1,
        sketch_instance=labels - 1,
        tuples=None,
        ids=(),
    )


def test_one_seed_one_result_and_torchs_generator_is_left_alone() -> None:
    given, state = white(), torch.get_rng_state()
    first, again, other = (augment(given, "released", seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first.photo, again.photo)
    assert torch.equal(first.sketch, again.sketch)
    assert not torch.equal(first.photo, other.photo)
    assert first.photo.dtype == first.sketch.dtype == torch.uint8
    assert first.photo.shape == given.photo.shape
    assert first.sketch.shape == given.sketch.shape


def test_white_sketches_get_black_corners_as_released() -> None:
    changed = augment(white(), "released", 0).sketch
    assert (changed == 0).any()
    assert not (augment(white(), "standard", 0).sketch < 255).any()


def test_a_batch_without_a_modality() -> None:
    given = white(4)
    empty = Batch(**{**given.__dict__, "sketch": given.sketch[:0]})
    assert augment(empty, "released", 0).sketch.shape == (0, 1, 16, 16)


def test_photos_are_never_moved_without_their_edge_maps() -> None:
    given = white(4)
    paired = Batch(**{**given.__dict__, "edge": given.sketch})
    with pytest.raises(UsageError, match="without their edge maps"):
        augment(paired, "released", 0)
    with pytest.raises(UsageError, match="released"):
        MODELS.get("semi3")(resolve_settings("semi3", [{"augment": "released"}]))
