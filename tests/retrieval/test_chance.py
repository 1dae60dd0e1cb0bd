"""Chance levels against all orders of small galleries, and against random vectors."""

from dataclasses import replace
from itertools import combinations, permutations

import naive
import numpy as np
import pytest

from sbirctl.retrieval import metrics
from sbirctl.retrieval.chance import chance_levels, expected
from sbirctl.retrieval.definitions import PRESETS, get
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import evaluate

NAMES = (
    "map@all",
    "map@1",
    "map@3",
    "map@50",
    "prec@1",
    "prec@4",
    "prec@50",
    "recall@3",
    "recall@50",
)


def value(metric, definition, flags, relevant):
    """One query by plain loops."""
    size = len(flags)
    k = size if metric.k is None else metric.k
    hits = sum(flags[:k])
    if metric.kind == "map":
        rule = "R" if metric.k is None else definition.denominator
        voc = definition.interpolation == "voc"
        return naive.plain_ap(flags, k, relevant, rule, voc)
    if metric.kind == "recall":
        return hits / relevant
    if definition.precision == "next":
        return float(flags[k]) if k < size else 0.0
    return hits / {"K": k, "min": min(k, relevant), "list": min(k, size)}[definition.precision]


@pytest.mark.parametrize("size, relevant", [(7, 3), (7, 1), (6, 6), (9, 5), (2, 1), (1, 1)])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_formula_is_the_mean_over_all_orders(name, size, relevant):
    definition = PRESETS[name]
    plain = replace(definition, interpolation="textbook")
    for text in NAMES:
        metric = metrics.parse(text)
        found, added = [], []
        for chosen in combinations(range(size), relevant):
            flags = [int(i in chosen) for i in range(size)]
            found.append(value(metric, definition, flags, relevant))
            added.append(found[-1] - value(metric, plain, flags, relevant))
        # what interpolation adds has no formula: the mean of 1,000 random orders
        drawn = metric.kind == "map" and definition.interpolation == "voc"
        near = 5 * np.std(added) / 1_000**0.5 + 1e-9 if drawn else 1e-12
        assert expected(metric, definition, relevant, size) == pytest.approx(
            np.mean(found), abs=near
        ), text


def random_side(queries=4000, photos=60, scope="all", seed=0):
    """Vectors that know nothing; classes of different sizes, one of them without photos."""
    rng = np.random.default_rng(seed)
    label = rng.choice(4, photos, p=[0.1, 0.2, 0.3, 0.4])
    more = {}
    if scope == "class":
        more = {"query_group": np.zeros(queries, int), "gallery_group": np.zeros(photos, int)}
        more["query_group"][::3], more["gallery_group"][::4] = 1, 1
    return Embeddings(
        rng.standard_normal((queries, 16)),
        rng.standard_normal((photos, 16)),
        rng.integers(0, 5, queries),
        label,
        tuple("abcde"),
        query_instance=rng.integers(-1, 30, queries),
        gallery_instance=np.concatenate([rng.integers(0, 30, photos - 5), np.full(5, -1)]),
        scope=scope,
        **more,
    )


@pytest.mark.parametrize("scope", ["all", "class"])
@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"zsih"}))
def test_random_vectors_score_about_chance(name, scope):
    """Within the spread over galleries: all queries share one, so ten of them are averaged."""
    wanted = [metrics.parse(text) for text in ("map@all", "map@10", "prec@5", "acc@3")]
    measured, levels = [], []
    for seed in range(10):
        sizes = (60, 3000) if name == "sketch-lvm" else (600, 60)  # hardly a photo drawn twice
        e = random_side(*sizes, scope, seed)
        (result,) = evaluate(e, wanted, [PRESETS[name]])
        levels.append(list(chance_levels(e, result, wanted).values()))
        measured.append([result.mean(str(metric)) for metric in wanted])
    if PRESETS[name].no_relevant == "nan":
        assert [row[:3] for row in levels] == [[None] * 3] * 10
        measured, levels = [[row[3]] for row in measured], [[row[3]] for row in levels]
    difference = np.array(measured) - np.array(levels)
    error = difference.std(axis=0, ddof=1) / 10**0.5
    assert (np.abs(difference.mean(axis=0)) < 4.5 * error + 1e-3).all()


def test_queries_without_a_hit_that_are_left_out():
    """Two photos, one relevant: those who see it first score 1, the others are left out."""
    e = Embeddings(
        np.array([[1.0, 0.0], [0.0, 1.0]]),
        np.eye(2),
        np.array([0, 0]),
        np.array([0, 1]),
        ("a", "b"),
    )
    metric = metrics.parse("prec@1")
    (result,) = evaluate(e, [metric], [get("standard", ["no_hits=drop"])])
    assert result.mean("prec@1") == 1.0
    assert chance_levels(e, result, [metric]) == {"prec@1": pytest.approx(1.0)}


def test_an_own_photo_that_is_there_twice():
    """Its better copy counts: of 4 photos in all orders, the first of two."""
    e = Embeddings(
        np.eye(1, 3), np.ones((4, 3)), np.zeros(1, int), np.zeros(4, int), ("a",),
        query_instance=np.array([7]), gallery_instance=np.array([7, 8, 7, -1]),
    )  # fmt: skip
    metric = metrics.parse("acc@1")
    (result,) = evaluate(e, [metric], [get("standard")])
    orders = [order[0] in (0, 2) for order in permutations(range(4))]
    assert chance_levels(e, result, [metric])["acc@1"] == pytest.approx(np.mean(orders))


def test_a_metric_without_a_formula_is_taken_of_random_orders(monkeypatch):
    def first(metric, definition, ranks):
        return 1.0 / ranks.rank[:, 0]

    made = metrics.Measure("rr", (), "", lambda *_: "", first)
    monkeypatch.setitem(metrics.MEASURES, "rr", made)
    level = expected(metrics.Metric("rr", 5), get("standard"), 1, 4)
    assert level == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, abs=0.02)
    assert level == expected(metrics.Metric("rr", 5), get("standard"), 1, 4)


def test_a_sketch_without_a_photo_of_its_own_does_not_count():
    """Photos without a sketch are not its own ones, though both are of instance -1."""
    e = Embeddings(
        np.eye(2, 3), np.ones((4, 3)), np.zeros(2, int), np.zeros(4, int), ("a",),
        query_instance=np.array([7, -1]), gallery_instance=np.array([7, 7, -1, -1]),
    )  # fmt: skip
    metric = metrics.parse("acc@1")
    (result,) = evaluate(e, [metric], [get("standard")])
    assert chance_levels(e, result, [metric])["acc@1"] == pytest.approx(1 / 2)
