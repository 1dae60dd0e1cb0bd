"""Soft segmentation: the shortcuts against the plain algorithm, and what it is for."""

import numpy as np
import torch

from sbirctl.edges import soft_segmentation
from sbirctl.edges.color import WORDS
from sbirctl.edges.soft_segmentation import _hypotheses, _presence, _scores, soft_layers


def words_of(seed: int = 0, kinds: int = 30, size: int = 60) -> torch.Tensor:
    """A picture of patches of similar words, with words of 0..1154 far apart."""
    generator = np.random.default_rng(seed)
    coarse = np.kron(generator.integers(0, kinds // 3, (6, 6)), np.ones((size // 6, size // 6)))
    words = (coarse + generator.integers(0, kinds // 3, (size, size)) * 2).astype(int)
    return torch.from_numpy(words * 37 % WORDS)


def plain_scores(words: np.ndarray) -> np.ndarray:
    """Steps 3 to 5 on all 1155 words and all pixels, by NumPy's SVD."""

    def presence(step: int) -> np.ndarray:
        rows = []
        for y in range(0, words.shape[0] - 16, step):
            for x in range(0, words.shape[1] - 16, step):
                row = np.zeros(WORDS)
                row[words[y : y + 17, x : x + 17].ravel()] = 1
                rows.append(row)
        return np.array(rows)

    train = presence(8)
    mean = train.mean(0)
    _, values, vectors = np.linalg.svd(train - mean, full_matrices=False)
    share = np.cumsum(values**2) / np.sum(values**2)
    basis = vectors[: int(np.searchsorted(share, 0.5)) + 1].T
    layers = []
    for patch in presence(30):
        p = basis @ (basis.T @ (patch - mean))
        c1, c0 = np.maximum(mean + p, 0), np.maximum(mean - p, 0)
        layers.append((c1[words] / (c1[words] + c0[words] + 1e-300)).ravel())
    table = np.stack(layers, 1)
    table -= table.mean(0)
    _, vectors = np.linalg.eigh(table.T @ table)
    return (table @ vectors[:, ::-1][:, :8]).T


def test_scores_equal_the_plain_algorithm() -> None:
    words = words_of(size=108)
    found = _scores(words).numpy().reshape(8, -1)
    expected = plain_scores(words.numpy())
    # The sign of a principal component means nothing.
    expected *= np.sign((found * expected).sum(1, keepdims=True))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_fewer_hypotheses_than_layers_leave_zeros() -> None:
    found = _scores(words_of(size=60))  # 2 x 2 hypotheses
    assert found.shape == (8, 60, 60)
    assert torch.count_nonzero(found[4:]) == 0
    assert found[0].std() > 0


def test_presence_marks_the_words_of_each_patch() -> None:
    words = torch.arange(40 * 40).view(40, 40)
    presence = _presence(words, 8, 1600)
    assert presence.shape == (9, 1600)
    assert presence.sum(1).tolist() == [289.0] * 9
    assert presence[4].nonzero()[0] == 8 * 40 + 8


def test_hypotheses_are_probabilities() -> None:
    table = _hypotheses(torch.unique(words_of(), return_inverse=True)[1], 30)
    assert table.min() >= 0
    assert table.max() <= 1


def test_two_textures_are_told_apart_by_the_first_layers() -> None:
    """Left and right differ in which colours occur, while single pixels vary as much within."""
    generator = torch.Generator().manual_seed(0)
    left, right = torch.rand(3, 3, generator=generator), torch.rand(3, 3, generator=generator)
    pick = torch.randint(0, 3, (64, 64), generator=generator)
    rgb = torch.where(torch.arange(64)[None, :, None] < 32, left[pick], right[pick])
    layers = soft_layers(rgb.permute(2, 0, 1)[None])
    assert layers.shape == (1, 8, 64, 64)
    assert (layers.min(), layers.max()) == (0, 1)
    first = layers[0, 0]
    gap = abs(first[:, :26].mean() - first[:, 38:].mean())
    assert gap > 5 * (first[:, :26].std() + first[:, 38:].std())


def test_one_colour_gives_zeros_and_odd_shapes_work() -> None:
    assert torch.count_nonzero(soft_layers(torch.full((1, 3, 20, 30), 0.4))) == 0
    assert soft_layers(torch.rand(2, 3, 9, 70)).shape == (2, 8, 9, 70)


def test_working_size() -> None:
    assert soft_segmentation._working_size(256, 256) == (300, 300)
    assert soft_segmentation._working_size(600, 400) == (300, 200)
    assert soft_segmentation._working_size(8, 800) == (17, 300)
