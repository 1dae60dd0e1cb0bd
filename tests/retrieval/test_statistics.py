"""Bootstrap and randomisation against exact enumeration, and what they must do on average."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.core.seeds import rng_for
from sbirctl.retrieval import statistics
from sbirctl.retrieval.statistics import (
    MOST_SEEDS,
    beside_interval,
    bootstrap_band,
    bootstrap_interval,
    class_interval,
    holm,
    randomisation_test,
    seeds_interval,
    wins,
)


def test_randomisation_equals_all_sign_changes():
    difference = np.array([0.3, 0.1, -0.2, 0.4, 0.05, 0.2, -0.1, 0.15])
    observed = abs(difference.mean())
    signs = itertools.product((-1, 1), repeat=len(difference))
    exact = np.mean([abs(np.dot(s, difference)) / 8 >= observed - 1e-12 for s in signs])
    assert randomisation_test(difference, permutations=40_000) == pytest.approx(exact, abs=0.01)


def test_randomisation_weighs_groups_alike():
    difference = np.array([1.0, -0.1, -0.1, -0.1, -0.1])
    group = np.array([0, 1, 1, 1, 1])
    weights = np.array([1 / 2, *[1 / 8] * 4])
    observed = abs(weights @ difference)
    signs = itertools.product((-1, 1), repeat=5)
    exact = np.mean([abs((weights * difference) @ s) >= observed - 1e-12 for s in signs])
    assert randomisation_test(difference, group, permutations=40_000) == pytest.approx(
        exact, abs=0.01
    )


def test_no_difference_is_never_significant():
    assert randomisation_test(np.zeros(10), permutations=99) == 1.0


def test_p_values_are_uniform_when_nothing_differs():
    rng = np.random.default_rng(0)
    found = [
        randomisation_test(rng.standard_normal(30), permutations=199, seed=i) for i in range(300)
    ]
    assert 0.02 < np.mean(np.array(found) <= 0.05) < 0.09


def test_bootstrap_covers_the_true_mean():
    rng = np.random.default_rng(1)
    inside = 0
    for i in range(200):
        low, high = bootstrap_interval(rng.exponential(size=60), resamples=300, seed=i)
        inside += low <= 1.0 <= high
    assert 0.88 <= inside / 200 <= 0.98


def test_bootstrap_of_groups_is_about_the_mean_of_means():
    value = np.array([0.0] * 3 + [1.0] * 300)
    group = np.array([0] * 3 + [1] * 300)
    assert bootstrap_interval(value, group) == (0.5, 0.5)
    low, high = bootstrap_interval(value)
    assert low > 0.95
    assert high <= 1


def test_bootstrap_is_the_same_each_time():
    value = np.random.default_rng(2).random(50)
    assert bootstrap_interval(value, seed=3) == bootstrap_interval(value, seed=3)
    assert bootstrap_interval(value, seed=3) != bootstrap_interval(value, seed=4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 3))
@settings(max_examples=30)
def test_a_band_holds_the_mean(values, seed):
    column = np.array(values)[:, None]
    low, high = bootstrap_band(column, resamples=400, level=0.999, seed=seed)
    assert min(values) - 1e-9 <= low[0] <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= high[0] <= max(values) + 1e-9


def test_a_band_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).standard_normal((400, 3))
    low, high = bootstrap_band(values, resamples=4000)
    mean, error = values.mean(axis=0), 1.96 * values.std(axis=0) / 20
    assert low == pytest.approx(mean - error, abs=0.01)
    assert high == pytest.approx(mean + error, abs=0.01)


def test_groups_of_a_band_weigh_alike():
    values = np.array([[0.0]] * 9 + [[1.0]])
    low, high = bootstrap_band(values, np.array([0] * 9 + [1]), resamples=50)
    assert low == high == pytest.approx(0.5)


def test_many_resamples_are_those_of_plain_draws(monkeypatch):
    """Drawn in blocks, and as counts: the same as drawing rows one sample after the other."""
    values = np.random.default_rng(1).random((7, 2))
    monkeypatch.setattr(statistics, "_DRAWS", 7 * 13)
    rng = rng_for("bootstrap", 5)
    means = []
    for count in (13, 13, 4):
        means += [values[row].mean(axis=0) for row in rng.integers(0, 7, (count, 7))]
    low, high = bootstrap_band(values, resamples=30, level=0.5, seed=5)
    np.testing.assert_allclose([low, high], np.quantile(means, [0.25, 0.75], axis=0))


def test_wins_and_losses():
    found = wins(np.array([0.5, -0.1, 0.0, 0.2]), np.array([0, 0, 1, 1]))
    assert found == {0: (1, 1, pytest.approx(0.2)), 1: (1, 0, pytest.approx(0.1))}


def test_class_interval_draws_whole_classes():
    # Three classes of 1, 2 and 3 queries: all 27 draws by hand.
    value = np.array([0.9, 0.2, 0.4, 0.1, 0.6, 0.5])
    label = np.array([7, 8, 8, 9, 9, 9])
    own = {7: [0.9], 8: [0.2, 0.4], 9: [0.1, 0.6, 0.5]}
    drawn = list(itertools.product(own, repeat=3))
    plain = [np.mean(np.concatenate([own[c] for c in draw])) for draw in drawn]
    macro = [np.mean([np.mean(own[c]) for c in draw]) for draw in drawn]
    for means, is_macro in ((plain, False), (macro, True)):
        found = class_interval(value, label, macro=is_macro, level=0.8, resamples=20_000)
        exact = np.quantile(means, [0.1, 0.9], method="inverted_cdf")
        assert found == pytest.approx(exact, abs=0.02)


def test_class_interval_covers_where_one_of_queries_does_not():
    rng = np.random.default_rng(3)
    by_class = by_query = 0
    for i in range(150):
        label = np.repeat(np.arange(25), 20)
        value = rng.standard_normal(25)[label] + 0.3 * rng.standard_normal(len(label))
        low, high = class_interval(value, label, resamples=300, seed=i)
        by_class += low <= 0 <= high
        low, high = bootstrap_interval(value, resamples=300, seed=i)
        by_query += low <= 0 <= high
    assert by_class / 150 > 0.85
    assert by_query / 150 < 0.6


def test_randomisation_of_classes_equals_all_sign_changes():
    difference = np.array([0.3, 0.1, -0.2, 0.4, 0.05, 0.2, -0.1, 0.15])
    label = np.array([0, 0, 1, 1, 1, 2, 3, 3])
    sums = np.array([difference[label == c].sum() for c in range(4)]) / 8
    signs = itertools.product((-1, 1), repeat=4)
    exact = np.mean([abs(np.dot(s, sums)) >= abs(sums.sum()) - 1e-12 for s in signs])
    found = randomisation_test(difference, label=label, permutations=40_000)
    assert found == pytest.approx(exact, abs=0.01)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_observed_assignment_counts_among_the_permutations():
    assert randomisation_test(np.ones(40), permutations=99) == 1 / 100


def test_a_group_of_few_weighs_as_much_as_one_of_many():
    difference = np.array([-0.2, *[0.5] * 5])
    group = np.array([0] + [1] * 5)
    weights = np.where(group == 0, 1 / 2, 1 / 10)
    signs = np.array(list(itertools.product((-1, 1), repeat=6)))
    exact = np.mean(np.abs(signs @ (weights * difference)) >= abs(weights @ difference) - 1e-12)
    equal = np.mean(np.abs(signs @ difference) >= abs(difference.sum()) - 1e-12)
    found = randomisation_test(difference, group, permutations=20_000)
    assert found == pytest.approx(exact, abs=0.02)
    assert abs(exact - equal) > 0.05


@pytest.mark.parametrize("seeds", range(3, MOST_SEEDS + 1))
def test_the_interval_over_seeds_is_students(seeds):
    stats = pytest.importorskip("scipy.stats")
    values = rng_for(seeds).normal(0.4, 0.1, seeds)
    theirs = stats.t.interval(0.95, seeds - 1, values.mean(), stats.sem(values))
    assert seeds_interval(values) == pytest.approx(theirs, abs=1e-7)


def test_the_interval_over_seeds_needs_three_of_them():
    assert seeds_interval([0.1, 0.2]) is None
    low, high = seeds_interval([0.1] * 40)
    assert (low, high) == pytest.approx((0.1, 0.1))


def test_a_value_lies_within_up_to_the_ends():
    assert [beside_interval(x, (0.2, 0.4)) for x in (0.1, 0.2, 0.4, 0.5)] == [
        "below", "within", "within", "above",
    ]  # fmt: skip
