"""What chance is, and a home that is put back."""

import os

import numpy as np
import pytest

from sbirctl.core.home import home_at
from sbirctl.pipeline.demo import chance
from sbirctl.retrieval.embeddings import Embeddings


@pytest.mark.parametrize("gallery", [(3, 5), (1, 9), (4, 0)])
def test_chance_is_the_mean_over_random_orders(gallery):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], gallery)
    queries = np.array([0, 0, 1])
    embeddings = Embeddings(
        query=np.ones((3, 1)),
        gallery=np.ones((len(labels), 1)),
        query_label=queries,
        gallery_label=labels,
        classes=("a", "b"),
    )
    average, precision = [], []
    for _ in range(4000):
        order = rng.permutation(labels)
        for query in queries:
            hits = order == query
            if not hits.any():
                continue
            seen = np.flatnonzero(hits)
            average.append(np.mean([(i + 1) / (rank + 1) for i, rank in enumerate(seen)]))
            precision.append(hits[:2].mean())
    found = chance(embeddings)
    assert found[0] == pytest.approx(np.mean(average), abs=0.01)
    assert found[1] == pytest.approx(np.mean(precision), abs=0.012)


@pytest.mark.parametrize("before", [None, "somewhere"])
def test_the_home_is_put_back_even_after_an_error(tmp_path, monkeypatch, before):
    if before is None:
        monkeypatch.delenv("SBIRCTL_HOME", raising=False)
    else:
        monkeypatch.setenv("SBIRCTL_HOME", before)
    with pytest.raises(ZeroDivisionError), home_at(tmp_path):
        assert os.environ["SBIRCTL_HOME"] == str(tmp_path)
        raise ZeroDivisionError
    assert os.environ.get("SBIRCTL_HOME") == before
