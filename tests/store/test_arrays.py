"""Rows of a file, and that reading all of it does not make it all this process's memory."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sbirctl.store import arrays
from sbirctl.store.arrays import Mapped

ROW = 1 << 16


@pytest.fixture
def array(tmp_path):
    """A file of 64 MB behind seven bytes of something else, and what lies in it."""
    values = np.random.default_rng(0).integers(0, 256, (1024, ROW), dtype=np.uint8)
    path = tmp_path / "rows"
    path.write_bytes(b"ignored" + values.tobytes())
    return path, values


def file_pages():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssFile:\s+(\d+) kB", status)[1]) * 1024


def test_rows_in_any_order_by_many_threads_while_pages_are_given_up(array, monkeypatch):
    path, values = array
    monkeypatch.setattr(arrays, "_WINDOW", 10 * ROW)
    rows = Mapped(path, values.shape, values.dtype, 7)
    wanted = [np.random.default_rng(i).integers(0, len(values), 9) for i in range(200)]
    with ThreadPoolExecutor(4) as pool:
        for chosen, found in zip(wanted, pool.map(rows.take, wanted), strict=True):
            assert np.array_equal(found, values[chosen])
            assert found.flags.writeable


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages as Linux does")
def test_what_was_read_does_not_stay(array, monkeypatch):
    path, values = array
    monkeypatch.setattr(arrays, "_WINDOW", 4 << 20)
    before = file_pages()
    rows = Mapped(path, values.shape, values.dtype, 7)
    most = 0
    for start in range(0, len(values), 16):
        rows.take(np.arange(start, start + 16))
        most = max(most, file_pages() - before)
    assert 0 < most < 24 << 20
