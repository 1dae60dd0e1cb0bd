import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sbirctl.store.pixels import checksum


@given(st.integers(1, 40), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_the_checksum_is_the_standard_crc_32(size, channels, seed):
    """Other programs can check a store, and stores written before are read."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, channels), dtype=np.uint8)
    assert checksum(pixels) == zlib.crc32(pixels.tobytes())


def test_every_single_bit_changes_the_checksum():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    sums = {checksum(pixels)}
    for place in range(48):
        for bit in range(8):
            changed = pixels.copy()
            changed.flat[place] ^= 1 << bit
            sums.add(checksum(changed))
    assert len(sums) == 1 + 48 * 8
