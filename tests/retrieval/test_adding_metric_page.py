"""docs/adding-a-metric.md, followed literally."""

import re
from pathlib import Path

import numpy as np
import pytest

from sbirctl.retrieval.definitions import PRESETS
from sbirctl.retrieval.metrics import MEASURES, explain, parse, per_query
from sbirctl.retrieval.ranks import Ranks

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-metric.md"


@pytest.fixture
def page():
    found = re.search(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    assert found
    exec(found.group(1), {"__name__": "page"})
    yield
    del MEASURES["f1"]


def test_the_metric_is_parsed_explained_and_right(page):
    metric = parse("f@5")
    assert str(metric) == "f1@5"
    assert "first 5" in explain(metric, PRESETS["standard"])
    rank = np.array([[1, 4], [3, 9], [6, 7]], dtype=np.int32)
    ranks = Ranks(rank, rank, np.array([2, 2, 2], dtype=np.int32), 10)
    np.testing.assert_allclose(per_query(metric, PRESETS["standard"], ranks), [4 / 7, 2 / 7, 0])
    dropped = per_query(metric, PRESETS["zsih"], ranks)
    assert np.isnan(dropped[2])
