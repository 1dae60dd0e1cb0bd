"""Scores that a model gives pairs of stored pictures (`PairModel`), in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sbirctl.models import PairModel
from sbirctl.sampling.subsets import ImageSubset, Subset
from sbirctl.training.embedding import BATCH, device_of
from sbirctl.training.loader import to_tensor

HELD = 256 << 20  # bytes of token sets held at a time, half of them of sketches


class StoredPairs:
    """Pairs of a subset's sketches and photos, by their rows in it.

    Token sets are made for a block of sketches at a time, and for each block once for every photo
    that one of them is paired with; `held` bounds what is kept of both. A model is left in
    evaluation mode.
    """

    def __init__(self, model: PairModel, subset: Subset, held: int = HELD) -> None:
        self._model = model.eval()
        self._subset = subset
        some = next(self._tokens(subset.photo, np.arange(1)))
        self._step = max(1, held // 2 // (some[0].numel() * some.element_size()))

    def __call__(self, queries: np.ndarray, photos: np.ndarray) -> np.ndarray:
        """(n,) rows of sketches and (n, k) rows of photos to (n, k) float64 scores."""
        found = np.empty(photos.shape)
        for start in range(0, len(queries), self._step):
            own = slice(start, start + self._step)
            sketch = self._held(self._subset.sketch, queries[own])
            wanted = np.unique(photos[own])
            for at in range(0, len(wanted), self._step):
                chosen = wanted[at : at + self._step]
                photo = self._held(self._subset.photo, chosen)
                row, column = np.nonzero(np.isin(photos[own], chosen))
                place = np.searchsorted(chosen, photos[own][row, column])
                found[own][row, column] = self._scores(sketch, photo, row, place)
        return found

    def _scores(
        self, sketch: Tensor, photo: Tensor, row: np.ndarray, place: np.ndarray
    ) -> np.ndarray:
        made = [np.empty(0)]
        for start in range(0, len(row), BATCH):
            left, right = row[start : start + BATCH], place[start : start + BATCH]
            scores = self._model.pair_scores(
                sketch[torch.from_numpy(left)], photo[torch.from_numpy(right)]
            )
            made.append(scores.double().cpu().numpy())
        return np.concatenate(made)

    def _held(self, side: ImageSubset, rows: np.ndarray) -> Tensor:
        return torch.cat(list(self._tokens(side, rows)))

    def _tokens(self, side: ImageSubset, rows: np.ndarray) -> Iterator[Tensor]:
        device = device_of(self._model)
        for start in range(0, len(rows), BATCH):
            pixels = side.store.read(side.modality, side.row[rows[start : start + BATCH]])
            yield self._model.tokens(to_tensor(pixels).to(device), side.modality)
