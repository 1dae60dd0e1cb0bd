"""Loading ahead: in order, bounded, with errors in their place."""

import threading
import time

import pytest

from sbirctl.core.read_ahead import read_ahead


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
