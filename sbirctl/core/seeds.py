"""Random numbers that depend on what they are for, never on how the work was cut."""

from __future__ import annotations

import hashlib

import numpy as np


def seed_for(*parts: int | str) -> int:
    """A 63-bit seed from (seed, purpose, epoch, step, …): equal parts, equal seed.

    Parts are hashed, so neighbouring seeds and epochs give unrelated streams.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return (
        int.from_bytes(
            hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
        )
        >> 1
    )


def rng_for(*parts: int | str) -> np.random.Generator:
    """NumPy generator seeded by `seed_for(*parts)`."""
    return np.random.Generator(np.random.PCG64(seed_for(*parts)))
