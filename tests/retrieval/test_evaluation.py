"""Every metric under every definition against loops, scikit-learn and cases done by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.core.errors import CorruptError, MissingError, UsageError
from sbirctl.retrieval import definitions, metrics
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, drawn_gallery, evaluate
from sbirctl.retrieval.ranking import Plan
from tests.retrieval import naive

METRICS = ("map@all", "map@1", "map@5", "map@40", "prec@1", "prec@5", "prec@40", "recall@5")


def vectors(rng, kind, size):
    """Vectors whose scores are exact in float32, so that ties are ties in every implementation."""
    if kind == "random":
        return rng.standard_normal((size, 16)).astype(np.float32)
    if kind == "tied":  # 16 signs: all have one length, and scores take 17 values
        return rng.choice([-1.0, 1.0], (size, 16)).astype(np.float32)
    few = rng.choice([-1.0, 1.0], (3, 16)).astype(np.float32)
    return few[rng.integers(0, 3, size)]


def problem(kind, labels, seed=0, queries=30, gallery=40):
    rng = np.random.default_rng(seed)
    q_label, g_label = {
        "mixed": lambda: (rng.integers(0, 4, queries), rng.integers(0, 4, gallery)),
        "one class": lambda: (np.zeros(queries, int), np.zeros(gallery, int)),
        "query class without photos": lambda: (
            rng.integers(0, 4, queries),
            rng.integers(1, 4, gallery),
        ),
        "one photo a class": lambda: (rng.integers(0, 4, queries), np.arange(gallery) % 40),
    }[labels]()
    return Embeddings(
        vectors(rng, kind, queries),
        vectors(rng, kind, gallery),
        q_label.astype(np.int64),
        g_label.astype(np.int64),
        tuple(str(i) for i in range(40)),
    )


def figures(e, names, definition, **more):
    parsed = [metrics.parse(name) for name in names]
    (result,) = evaluate(e, parsed, [definition], Options(**more))
    return {name: result.mean(name) for name in names}


def same(ours, theirs):
    if theirs is None or math.isnan(theirs):
        return ours is None
    return ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("kind", ["random", "tied", "duplicates"])
@pytest.mark.parametrize(
    "labels", ["mixed", "one class", "query class without photos", "one photo a class"]
)
@pytest.mark.parametrize("name", definitions.PRESETS)
def test_every_preset_equals_loops(name, labels, kind):
    e = problem(kind, labels)
    gallery, g_label = e.gallery, e.gallery_label
    if name == "sketch-lvm":
        rows = drawn_gallery(e, 0)
        gallery, g_label = gallery[rows], g_label[rows]
    ours = figures(e, METRICS, definitions.PRESETS[name])
    for metric in METRICS:
        kind_, _, cut = metric.partition("@")
        k = None if cut == "all" else int(cut)
        theirs = naive.evaluate(
            kind_, k, e.query, gallery, e.query_label, g_label, naive.PRESETS[name]
        )
        assert same(ours[metric], theirs), (metric, ours[metric], theirs)


def test_every_preset_has_loops():
    assert set(naive.PRESETS) == set(definitions.PRESETS)


@pytest.mark.parametrize("kind", ["random", "tied", "duplicates"])
def test_grouped_ties_are_scikit_learns(kind):
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    e = problem(kind, "mixed", seed=3)
    grouped = definitions.get("standard", ["ties=grouped"])
    scores = naive.cosine(e.query.astype(float), e.gallery.astype(float))
    scores = np.round(scores * 16 * 1e9) / 1e9
    expected = np.mean(
        [
            sklearn_metrics.average_precision_score(e.gallery_label == label, row)
            for label, row in zip(e.query_label, scores, strict=True)
        ]
    )
    assert figures(e, ["map@all"], grouped)["map@all"] == pytest.approx(expected, abs=1e-6)
    if kind == "random":
        assert figures(e, ["map@all"], definitions.PRESETS["standard"])["map@all"] == pytest.approx(
            expected, abs=1e-6
        )


def ranked(flags):
    """One query that finds its gallery in exactly this order of relevant and other photos."""
    angle = np.linspace(0.1, 1.2, len(flags))
    gallery = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    label = np.array([0 if flag else 1 for flag in flags])
    return Embeddings(np.array([[1.0, 0.0]]), gallery, np.array([0]), label, ("yes", "no"))


WORKED = ranked([0, 1, 1, 0, 0, 1, 0, 1, 0, 0])


@pytest.mark.parametrize(
    "name, metric, value",
    [
        ("sake", "map@5", "0.3333"),
        ("ffmln", "map@5", "0.3333"),
        ("zse", "map@5", "0.3333"),
        ("standard", "map@5", "0.2917"),
        ("clipprompt", "map@5", "0.5833"),
        ("sempcyc", "map@5", "0.5833"),
        ("yelamarthi", "map@5", "0.2333"),
        ("ffmln-paper", "map@5", "0.2917"),
        ("sake", "map@all", "0.5833"),
        ("standard", "map@all", "0.5417"),
        ("standard", "prec@5", "0.4000"),
        ("zse", "prec@5", "0.5000"),
        ("standard", "recall@5", "0.5000"),
    ],
)
def test_worked_example(name, metric, value):
    assert f"{figures(WORKED, [metric], definitions.PRESETS[name])[metric]:.4f}" == value


def test_one_hit_at_the_top_and_nothing_after():
    e = ranked([1, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    values = {
        d: figures(e, ["map@5"], definitions.get("standard", [f"denominator={d}"]))["map@5"]
        for d in ("hits", "min", "R")
    }
    assert values == pytest.approx({"hits": 1.0, "min": 0.2, "R": 1 / 6})


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from(["random", "tied", "duplicates"]), st.integers(1, 60))
def test_what_always_holds(seed, kind, k):
    e = problem(kind, "mixed", seed, queries=8, gallery=25)
    names = [f"map@{k}", f"prec@{k}", f"recall@{k}", "map@all"]
    get = definitions.get
    plain = figures(e, names, get("standard"))
    voc = figures(e, names, get("standard", ["interpolation=voc"]))
    last = figures(e, names, get("standard", ["ties=pessimistic"]))
    hits = figures(e, names, get("standard", ["denominator=hits"]))
    if plain["map@all"] is None:
        return
    for name in names:
        assert 0 <= plain[name] <= 1
        assert last[name] <= plain[name] + 1e-12
        assert voc[name] >= plain[name] - 1e-12
    assert hits[names[0]] >= plain[names[0]] - 1e-12
    relevant = np.array([(e.gallery_label == c).sum() for c in e.query_label])
    if relevant.min() >= k:  # the sum of precisions is at most the number of hits
        assert plain[names[0]] <= plain[names[1]] + 1e-12


@pytest.mark.parametrize("similarity", ["cosine", "euclidean", "hamming"])
def test_memory_and_threads_change_no_bit(similarity):
    rng = np.random.default_rng(1)
    e = Embeddings(
        rng.standard_normal((1300, 24)).astype(np.float16),
        rng.standard_normal((901, 24)).astype(np.float32),
        rng.integers(0, 5, 1300),
        rng.integers(0, 5, 901),
        tuple("abcde"),
    )
    definition = definitions.get("standard", [f"similarity={similarity}"])
    parsed = [metrics.parse(name) for name in metrics.DEFAULT]
    found = []
    for memory, threads in ((10**9, 1), (10**9, 3), (20_000_000, 2)):
        options = Options(plan=Plan(memory=memory, threads=threads))
        (result,) = evaluate(e, parsed, [definition], options)
        found.append(b"".join(v.tobytes() for v in result.values.values()))
    assert found[0] == found[1] == found[2]


def test_too_little_memory_says_how_much_is_needed():
    e = problem("random", "mixed")
    with pytest.raises(UsageError) as error:
        evaluate(
            e,
            [metrics.parse("map@all")],
            [definitions.PRESETS["standard"]],
            Options(plan=Plan(memory=1000)),
        )
    assert "--memory" in error.value.hint


def test_float32_scores_are_close_to_float64():
    """The error of a product of unit vectors with D = 512 stays below 1e-6."""
    from sbirctl.retrieval.ranking_problem import TILE, RankingProblem

    rng = np.random.default_rng(2)
    q, g = rng.standard_normal((TILE, 512)), rng.standard_normal((500, 512))
    label = np.zeros(TILE, int), np.zeros(500, int)
    exact = naive.cosine(q.astype(np.float32).astype(float), g.astype(np.float32).astype(float))
    ready = RankingProblem.from_embeddings(
        Embeddings(q.astype(np.float32), g.astype(np.float32), *label, ("a",)), "cosine"
    )
    scores = np.empty((TILE, 500), dtype=np.float32)
    ready.scores(0, scores)
    assert np.abs(scores - exact).max() < 1e-6


def test_wide_input_is_ranked_in_float64():
    gallery = np.array([[1.0, 1e-9], [1.0, 0.0]])
    e = Embeddings(np.array([[1.0, 0.0]]), gallery, np.array([0]), np.array([1, 0]), ("a", "b"))
    exact = definitions.get("standard", ["similarity=euclidean"])
    assert figures(e, ["prec@1"], exact)["prec@1"] in (0.0, 1.0)
    e = Embeddings(np.array([[1.0, 1.0]]), gallery, np.array([0]), np.array([1, 0]), ("a", "b"))
    assert figures(e, ["prec@1"], exact)["prec@1"] == 0.0


def own_photos(query, gallery, q_instance, g_instance):
    return Embeddings(
        np.array(query, dtype=np.float32),
        np.array(gallery, dtype=np.float32),
        np.zeros(len(query), np.int64),
        np.zeros(len(gallery), np.int64),
        ("shoe",),
        query_instance=np.array(q_instance),
        gallery_instance=np.array(g_instance),
    )


def test_own_photo_with_ties_against():
    e = own_photos([[1, 0], [0, 1], [1, 0]], [[1, 0], [1, 0], [0, 1]], [1, 2, 7], [0, 1, 2])
    values = figures(e, ["acc@1", "acc@2"], definitions.PRESETS["standard"])
    # sketch 0: its photo ties with another, so it stands second; sketch 1: first; sketch 2: no
    # photo of instance 7, left out
    assert values == {"acc@1": 0.5, "acc@2": 1.0}


def test_own_photo_twice_in_the_gallery_does_not_stand_against_itself():
    e = own_photos([[1, 0]], [[1, 0], [1, 0], [0, 1]], [5], [5, 5, 6])
    assert figures(e, ["acc@1"], definitions.PRESETS["standard"])["acc@1"] == 1.0


def test_acc_without_instances_is_an_error():
    with pytest.raises(MissingError, match="instances"):
        figures(problem("random", "mixed"), ["acc@1"], definitions.PRESETS["standard"])


def test_scope_class_ranks_within_the_category_and_averages_over_categories():
    rng = np.random.default_rng(4)
    q, g = rng.standard_normal((9, 5)), rng.standard_normal((6, 5))
    q_own, g_own = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5]), np.arange(6)
    group = np.array([0, 0, 1, 1, 1, 1])
    e = Embeddings(
        q,
        g,
        q_own,
        g_own,
        tuple("abcdef"),
        query_instance=q_own,
        gallery_instance=g_own,
        scope="class",
        query_group=group[q_own],
        gallery_group=group,
        groups=("cat", "dog"),
    )
    scores = naive.cosine(q, g)
    means = []
    for category in (0, 1):
        photos = np.flatnonzero(group == category)
        rows = np.flatnonzero(group[q_own] == category)
        means.append(np.mean([photos[scores[i, photos].argmax()] == q_own[i] for i in rows]))
    ours = figures(e, ["acc@1", "prec@1"], definitions.PRESETS["standard"])
    assert ours["acc@1"] == pytest.approx(np.mean(means))
    assert ours["prec@1"] == pytest.approx(np.mean(means))


def test_scores_at_or_below_zero_can_be_ignored():
    gallery = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.2]])
    e = Embeddings(np.array([[1.0, 0.0]]), gallery, np.array([0]), np.array([0, 1, 0]), ("a", "b"))
    count = figures(e, ["map@all"], definitions.get("standard"))
    ignore = figures(e, ["map@all"], definitions.get("standard", ["nonpositive=ignore"]))
    assert count["map@all"] == pytest.approx((1 + 2 / 3) / 2)
    assert ignore["map@all"] == 1.0
    below = Embeddings(-e.query, gallery[:1], np.array([0]), np.array([0]), ("a",))
    assert figures(below, ["map@all"], definitions.get("standard", ["nonpositive=ignore"])) == {
        "map@all": 0.0
    }


def test_a_zero_vector_is_orthogonal_to_everything():
    e = Embeddings(
        np.zeros((1, 3), np.float32),
        np.eye(3, dtype=np.float32),
        np.array([0]),
        np.array([1, 0, 1]),
        ("a", "b"),
    )
    assert figures(e, ["map@all"], definitions.PRESETS["standard"])["map@all"] == 0.5


def test_a_torch_device_gives_the_same_ranks():
    torch = pytest.importorskip("torch")
    assert torch is not None
    for kind in ("random", "tied", "duplicates"):
        e = problem(kind, "mixed", seed=9)
        for name in ("standard", "sempcyc", "zsih"):
            here = figures(e, METRICS, definitions.PRESETS[name])
            there = figures(e, METRICS, definitions.PRESETS[name], plan=Plan(device="cpu:0"))
            assert here == pytest.approx(there, abs=1e-9)


def test_an_unknown_device_is_a_usage_error():
    pytest.importorskip("torch")
    with pytest.raises(UsageError, match="device"):
        figures(
            problem("random", "mixed"),
            ["map@all"],
            definitions.PRESETS["standard"],
            plan=Plan(device="toaster"),
        )


@pytest.mark.parametrize(("kind", "much"), [(np.float32, 1e19), (np.float64, 1e154)])
def test_scores_beyond_the_float_type_are_refused(kind, much):
    """An infinite score would tie with others that differ; one factor for all changes no rank."""
    rng = np.random.default_rng(0)
    query, gallery = rng.random((4, 8)).astype(kind), rng.random((9, 8)).astype(kind)
    labels, classes = (np.arange(4) % 2, np.arange(9) % 2), ("a", "b")

    def value(factor):
        one = Embeddings(query * kind(factor), gallery * kind(factor), *labels, classes)
        return figures(one, ["map@all"], definitions.get("standard", ["similarity=euclidean"]))

    with pytest.raises(CorruptError, match="Euclidean scores exceed float"):
        value(much)
    assert value(much * 1e-2) == value(1)
