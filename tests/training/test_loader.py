"""Batches: the right pixels under the right labels, in order, with any number of threads."""

import numpy as np
import pytest
import torch
from tiny_world import ShuffledPlan

from sbirctl.training.loader import BatchLoader, to_rgb


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_what_the_plan_drew(partition, store, workers):
    loader = BatchLoader(partition.train, torch.device("cpu"), workers)
    drawn = list(ShuffledPlan(8).batches(partition.train, 1, 7))
    for indices, batch in zip(drawn, loader.batches(iter(drawn)), strict=True):
        photo, sketch = partition.train.photo, partition.train.sketch
        pixels = store.pixels["photo"][photo.row[indices.photo]]
        assert np.array_equal(batch.photo.permute(0, 2, 3, 1).numpy(), pixels)
        assert batch.photo_label.tolist() == photo.label[indices.photo].tolist()
        assert batch.sketch_instance.tolist() == sketch.instance[indices.sketch].tolist()
        names = [photo.ids[i] for i in indices.photo] + [sketch.ids[i] for i in indices.sketch]
        assert batch.ids == tuple(names)
        assert batch.sketch.shape[1] == 1
        assert to_rgb(batch).sketch.shape == (8, 3, 8, 8)


def test_read_only_pixels_are_copied(partition, store):
    """A memory map gives read-only arrays; torch would warn and write through."""
    for pixels in store.pixels.values():
        pixels.flags.writeable = False
    drawn = ShuffledPlan(8).batches(partition.train, 0, 0)
    batch = next(BatchLoader(partition.train, torch.device("cpu"), 0).batches(drawn))
    batch.photo.fill_(0)
    assert store.pixels["photo"].any()
