"""hit@K, mrr, ndcg@K and R-precision against plain loops over a ranked list."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbirctl.core.errors import UsageError
from sbirctl.retrieval.chance import expected
from sbirctl.retrieval.definitions import PRESETS
from sbirctl.retrieval.metrics import parse
from sbirctl.retrieval.ranked_lists import of_ranked

lists = st.lists(st.booleans(), min_size=1, max_size=25).filter(any)


def naive(name, flags, k):
    first = next((i for i, flag in enumerate(flags[:k], 1) if flag), None)
    if name == "hit":
        return float(first is not None)
    if name == "mrr":
        return 0.0 if first is None else 1 / first
    if name == "ndcg":
        gain = sum(1 / math.log2(1 + i) for i, flag in enumerate(flags[:k], 1) if flag)
        return gain / sum(1 / math.log2(1 + i) for i in range(1, min(k, sum(flags)) + 1))
    R = sum(flags)
    return sum(flags[:R]) / R


@given(lists, st.integers(1, 30))
@pytest.mark.parametrize("name", ["hit", "mrr", "ndcg"])
def test_with_a_cut_off(name, flags, k):
    assert of_ranked([flags], f"{name}@{k}")[0] == pytest.approx(naive(name, flags, k))


def test_precision_beyond_the_gallery_by_the_list() -> None:
    """Two right among three photos: of five places K divides by 5, the list by the 3 there are."""
    by_list = replace(PRESETS["standard"], precision="list")
    assert of_ranked([[True, False, True]], "prec@5")[0] == pytest.approx(2 / 5)
    assert of_ranked([[True, False, True]], "prec@5", by_list)[0] == pytest.approx(2 / 3)


@given(lists)
@pytest.mark.parametrize("name", ["mrr", "ndcg", "r-precision"])
def test_of_the_whole_list(name, flags):
    assert of_ranked([flags], name)[0] == pytest.approx(naive(name, flags, len(flags)))
    assert of_ranked([flags], f"{name}@all")[0] == of_ranked([flags], name)[0]


@pytest.mark.parametrize("name", ["hit@3", "mrr@4", "mrr", "ndcg@3", "r-precision"])
def test_chance_is_the_mean_over_all_orders(name):
    import itertools

    orders = [np.isin(range(6), chosen) for chosen in itertools.combinations(range(6), 2)]
    mean = of_ranked(orders, name).mean()
    assert expected(parse(name), PRESETS["standard"], 2, 6) == pytest.approx(mean, abs=0.03)


@pytest.mark.parametrize(
    "text, hint",
    [
        ("map200", "'map@200'"),
        ("p_100", "'prec@100'"),
        ("mapall", "'map@all'"),
        ("top1", "'acc@1'"),
        ("nDGC@10", "ndcg"),
    ],
)
def test_what_was_meant(text, hint):
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert hint in raised.value.hint


def test_r_precision_has_no_cut_off():
    with pytest.raises(UsageError, match="no cut-off"):
        parse("r-precision@5")
    assert str(parse("rprec")) == "r-precision@all"
