"""Re-ranking against plain loops, and what must hold of any method."""

import numpy as np
import pytest

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.rerank.blocks import score_blocks
from sbirctl.retrieval.rerank.expansion import DBA, AlphaQE, expand_gallery, expand_queries
from sbirctl.retrieval.rerank.fusion import ReciprocalRank, ScoreSum, fuse, refuse_others
from sbirctl.retrieval.rerank.reciprocal import KReciprocal, k_reciprocal
from tests.retrieval import naive_rerank as naive


def made(queries=40, photos=70, dim=6, seed=0, **more):
    rng = np.random.default_rng(seed)
    centre = rng.standard_normal((5, dim))
    q, g = rng.integers(0, 5, queries), rng.integers(0, 5, photos)
    sides = [centre[c] + 0.7 * rng.standard_normal((len(c), dim)) for c in (q, g)]
    return Embeddings.from_arrays(*sides, q, g, **more)


def whole(blocks):
    return np.concatenate([block.copy() for block in blocks])


def order(scores):
    return np.argsort(-scores, axis=1, kind="stable")


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
def test_expansion_is_that_of_the_loops(alpha):
    e = made()
    found = expand_queries(e, AlphaQE(k=4, alpha=alpha))
    wanted = naive.expanded(e.query, e.gallery, 4, alpha, itself=False)
    assert naive.unit(found.query) == pytest.approx(wanted, abs=1e-12)
    assert np.array_equal(found.gallery, e.gallery)
    found = expand_gallery(e, DBA(k=4, alpha=alpha))
    wanted = naive.expanded(e.gallery, e.gallery, 4, alpha, itself=True)
    assert naive.unit(found.gallery) == pytest.approx(wanted, abs=1e-12)
    assert np.array_equal(found.query, e.query)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nothing_added_changes_nothing(dtype):
    e = made()
    e = Embeddings.from_arrays(
        e.query.astype(dtype), e.gallery.astype(dtype), e.query_label, e.gallery_label
    )
    for found in (expand_queries(e, AlphaQE(k=0)), expand_gallery(e, DBA(k=0))):
        assert found.query.dtype == dtype
        assert np.array_equal(found.query, e.query)
        assert np.array_equal(found.gallery, e.gallery)


def test_expansion_keeps_lengths_and_passes_over_zeros_and_opposites():
    query = np.array([[3.0, 0.0], [0.0, 0.0], [0.0, -2.0]])
    gallery = np.array([[1.0, 1.0], [0.0, 5.0]])
    e = Embeddings.from_arrays(query, gallery, [0, 0, 0], [0, 0])
    found = expand_queries(e, AlphaQE(k=2, alpha=1.0)).query
    assert np.array_equal(found[1:], query[1:])  # no photo has a positive cosine
    half = np.sqrt(0.5)
    expected = np.array([1 + half * half, half * half])
    assert found[0] == pytest.approx(3 * expected / np.linalg.norm(expected))


def test_more_neighbours_than_photos_are_all_of_them():
    e = made(photos=3)
    assert np.array_equal(
        expand_queries(e, AlphaQE(k=9)).query, expand_queries(e, AlphaQE(k=3)).query
    )
    assert np.array_equal(expand_gallery(e, DBA(k=9)).gallery, expand_gallery(e, DBA(k=2)).gallery)


@pytest.mark.parametrize("k1", [1, 5, 8])
@pytest.mark.parametrize("k2", [1, 3])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_mutual_neighbours_are_those_of_the_loops(k1, k2, share):
    e = made()
    found = whole(k_reciprocal(e, KReciprocal(k1, k2, share)))
    wanted = naive.mixed_distance(e.query, e.gallery, k1, k2, share)
    if share:  # the same up to a line of each query
        nodes = naive.unit(np.concatenate([e.query, e.gallery]))
        half = (2 - 2 * nodes[: len(e.query)] @ nodes.T).max(axis=1, keepdims=True) / 2
        expected = 1 + (1 - share) / share * half - wanted * half / share
        assert found == pytest.approx(expected, abs=1e-9)
    for mine, theirs in zip(order(found), wanted, strict=True):
        assert (np.diff(theirs[mine]) >= -1e-9).all()


def test_an_average_over_more_nodes_than_mutual_neighbours():
    e = made(queries=6, photos=9)
    found = whole(k_reciprocal(e, KReciprocal(k1=2, k2=7, lambda_=0.0)))
    wanted = naive.mixed_distance(e.query, e.gallery, 2, 7, 0.0)
    nodes = naive.unit(np.concatenate([e.query, e.gallery]))
    farthest = (2 - 2 * nodes[:6] @ nodes.T).max(axis=1, keepdims=True)
    assert found == pytest.approx((1 - wanted) * farthest, abs=1e-9)


def test_a_share_of_one_is_the_plain_ranking():
    e = made(queries=600)
    assert np.array_equal(whole(k_reciprocal(e, KReciprocal(lambda_=1.0))), whole(score_blocks(e)))
    near = whole(k_reciprocal(e, KReciprocal(lambda_=1 - 1e-12)))
    assert np.array_equal(order(near), order(whole(score_blocks(e))))


def test_repeated_photos_are_ties_in_gallery_order():
    e = made(photos=20)
    twice = Embeddings.from_arrays(
        e.query, np.concatenate([e.gallery, e.gallery]), e.query_label, np.tile(e.gallery_label, 2)
    )
    found = whole(k_reciprocal(twice, KReciprocal(k1=6, k2=1)))
    wanted = naive.mixed_distance(twice.query, twice.gallery, 6, 1, 0.3)
    for mine, theirs in zip(order(found), wanted, strict=True):
        assert (np.diff(theirs[mine]) >= -1e-9).all()
    ranks = order(whole(fuse([twice, twice], ReciprocalRank())))
    assert np.array_equal(ranks, order(whole(score_blocks(twice))))


def test_labels_are_never_seen():
    e = made()
    rng = np.random.default_rng(1)
    other = Embeddings.from_arrays(
        e.query, e.gallery, rng.permutation(e.query_label), rng.permutation(e.gallery_label)
    )
    for run in (
        lambda one: whole(k_reciprocal(one, KReciprocal(k1=5))),
        lambda one: expand_queries(one, AlphaQE()).query,
        lambda one: expand_gallery(one, DBA()).gallery,
        lambda one: whole(fuse([one, one], ReciprocalRank())),
        lambda one: whole(fuse([one, one], ScoreSum())),
    ):
        assert np.array_equal(run(e), run(other))


def test_queries_are_not_expanded_by_one_another():
    e = made()
    few = Embeddings.from_arrays(e.query[:3], e.gallery, e.query_label[:3], e.gallery_label)
    assert np.array_equal(
        expand_queries(few, AlphaQE()).query, expand_queries(e, AlphaQE()).query[:3]
    )


def test_reciprocal_ranks_are_those_of_the_loops():
    rng = np.random.default_rng(3)
    matrices = [rng.integers(0, 5, (30, 25)) for _ in range(3)]  # with ties
    files = [Embeddings.from_arrays(None, None, [0] * 30, [0] * 25, scores=m) for m in matrices[:2]]
    files.append(Embeddings.from_arrays(None, None, [0] * 30, [0] * 25, distances=-matrices[2]))
    found = whole(fuse(files, ReciprocalRank(constant=10)))
    assert found == pytest.approx(naive.reciprocal_ranks(matrices, 10), abs=1e-15)


@pytest.mark.parametrize("normalise", ["min-max", "z-score"])
def test_sums_of_scores_are_those_of_the_loops(normalise):
    a, b = made(seed=1), made(seed=2)
    found = whole(fuse([a, b], ScoreSum(normalise)))
    wanted = np.zeros(found.shape)
    for e in (a, b):
        for i, query in enumerate(naive.unit(e.query)):
            row = [float(query @ photo) for photo in naive.unit(e.gallery)]
            low, spread = np.mean(row), np.std(row)
            if normalise == "min-max":
                low, spread = min(row), max(row) - min(row)
            wanted[i] += [(value - low) / spread for value in row]
    assert found == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    "settings", [ReciprocalRank(), ReciprocalRank(0), ScoreSum(), ScoreSum("z-score")]
)
def test_a_file_fused_with_itself_keeps_its_ranking(settings):
    e = made(queries=520, photos=300)
    plain = Embeddings.from_arrays(
        *(side.astype(np.float32) for side in (e.query, e.gallery)), e.query_label, e.gallery_label
    )
    for one in (e, plain):
        assert np.array_equal(
            order(whole(fuse([one, one], settings))), order(whole(score_blocks(one)))
        )


def test_scores_that_are_all_equal_say_nothing():
    flat = Embeddings.from_arrays(None, None, [0], [0, 0, 0], scores=np.full((1, 3), 0.1))
    other = Embeddings.from_arrays(None, None, [0], [0, 0, 0], scores=np.array([[1.0, 3.0, 2.0]]))
    for settings in (ScoreSum(), ScoreSum("z-score")):
        assert order(whole(fuse([flat, other], settings))).tolist() == [[1, 2, 0]]


def test_other_pictures_are_refused_by_name():
    names = ("a.h5", "b.h5")
    paths = {"query_path": [f"{i}" for i in range(40)], "gallery_path": [f"{i}" for i in range(70)]}
    e = made(**paths)
    assert refuse_others(e, made(seed=0, **paths), names)
    assert not refuse_others(e, made(), names)
    with pytest.raises(MismatchError, match=r"a.h5 has 70 photos, b.h5 69"):
        refuse_others(e, made(photos=69), names)
    turned = {**paths, "gallery_path": paths["gallery_path"][::-1]}
    with pytest.raises(MismatchError, match=r"gallery_path of row 0 is '0' in a.h5 and '69'"):
        refuse_others(e, made(**turned), names)
    with pytest.raises(MismatchError, match="query_label of row"):
        refuse_others(made(), made(seed=5), names)
    with pytest.raises(MismatchError, match="scope"):
        refuse_others(e, made(scope="class", **paths), names)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: AlphaQE(k=-1),
        lambda: DBA(alpha=-0.5),
        lambda: KReciprocal(k1=0),
        lambda: KReciprocal(lambda_=1.1),
        lambda: ReciprocalRank(float("nan")),
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(UsageError, match="cannot be"):
        wrong()
