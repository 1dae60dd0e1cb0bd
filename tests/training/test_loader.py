"""Batches: the right pixels under the right labels, in order, with any number of threads."""

import threading
import time

import numpy as np
import pytest
import torch
from tiny_world import ShuffledPlan

from sbirctl.training.loader import BatchLoader, read_ahead, to_rgb


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_read_ahead_keeps_the_order(workers):
    def load(number):
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(read_ahead(range(20), load, workers)) == [n * n for n in range(20)]


def test_read_ahead_is_bounded():
    items = iter(range(50))
    results = read_ahead(items, str, 2)
    assert next(results) == "0"
    assert next(items) == 4
    results.close()


def test_an_error_comes_out_in_its_place_and_the_threads_end():
    def load(number):
        if number == 3:
            raise OSError("torn")
        return number

    results = read_ahead(range(9), load, 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="torn"):
        next(results)
    assert not [t for t in threading.enumerate() if t.name.startswith("sbirctl-read")]


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
