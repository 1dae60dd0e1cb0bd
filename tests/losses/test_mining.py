"""Batch-hard mining against a loop over anchors."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.losses import hardest_negative, hardest_positive, others


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10_000))
@settings(max_examples=40)
def test_equals_a_loop(n: int, m: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    distances = torch.rand(n, m, generator=generator)
    candidates = torch.rand(n, m, generator=generator) < 0.4
    farthest, found = hardest_positive(distances, candidates)
    nearest, found_too = hardest_negative(distances, candidates)
    for i in range(n):
        chosen = [d for d, c in zip(distances[i].tolist(), candidates[i], strict=True) if c]
        assert found[i] == found_too[i] == bool(chosen)
        assert farthest[i].item() == (max(chosen) if chosen else 0.0)
        assert nearest[i].item() == (min(chosen) if chosen else 0.0)


def test_an_empty_batch_has_no_candidates() -> None:
    farthest, found = hardest_positive(torch.zeros(0, 0), torch.zeros(0, 0, dtype=torch.bool))
    assert farthest.shape == found.shape == (0,)


def test_gradient_reaches_the_chosen_pair_only() -> None:
    distances = torch.tensor([[0.1, 0.9, 0.5], [0.2, 0.3, 0.4]], requires_grad=True)
    candidates = torch.tensor([[True, True, True], [False, False, False]])
    hardest_positive(distances, candidates)[0].sum().backward()
    assert distances.grad is not None
    assert distances.grad.tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]


def test_others_leaves_only_oneself_out() -> None:
    assert others(3).tolist() == [[False, True, True], [True, False, True], [True, True, False]]
