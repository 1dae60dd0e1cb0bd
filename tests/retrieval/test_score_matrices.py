"""Scores and distances of pairs from another program: the same figures as of the vectors."""

import h5py
import numpy as np
import pytest

from sbirctl.core.errors import CorruptError, MismatchError, MissingError, UsageError
from sbirctl.retrieval import definitions, embeddings
from sbirctl.retrieval.audit import audit
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, evaluate
from sbirctl.retrieval.metrics import parse
from sbirctl.retrieval.ranking import Plan

METRICS = [parse(name) for name in ("map@all", "map@7", "prec@5", "recall@9")]
POSSIBLE = [d for d in definitions.PRESETS.values() if d.similarity != "hamming"]


@pytest.fixture
def vectors():
    rng = np.random.default_rng(4)
    q, g = rng.integers(0, 6, 700), rng.integers(0, 6, 90)
    centre = rng.standard_normal((6, 8))
    unit = [c + rng.standard_normal(c.shape) for c in (centre[q], centre[g])]
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in unit]
    return Embeddings.from_arrays(*unit, q, g)


def of(e, **matrix):
    return Embeddings.from_arrays(None, None, e.query_label, e.gallery_label, **matrix)


def values(results):
    return [{name: r.mean(name) for name in r.values} for r in results]


def test_a_matrix_has_the_figures_of_its_vectors(vectors):
    scores = vectors.query @ vectors.gallery.T
    expected = values(evaluate(vectors, METRICS, POSSIBLE))
    assert values(evaluate(of(vectors, scores=scores), METRICS, POSSIBLE)) == expected
    signless = [d for d in POSSIBLE if d.nonpositive == "count"]
    found = values(evaluate(of(vectors, distances=2 - 2 * scores), METRICS, signless))
    for ours, theirs in zip(found, values(evaluate(vectors, METRICS, signless)), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_matrix_of_whole_numbers():
    e = Embeddings.from_arrays(None, None, [0], [1, 0, 1], scores=np.array([[4, 5, 3]]))
    (result,) = evaluate(e, [parse("map@all")], [definitions.get("standard")])
    assert result.mean("map@all") == 1.0


def test_a_file_keeps_the_matrix_on_the_disk(vectors, tmp_path):
    scores = (vectors.query @ vectors.gallery.T).astype(np.float32)
    path = tmp_path / "scores.h5"
    with h5py.File(path, "w") as file:
        file["scores"] = scores
        file["query_label"], file["gallery_label"] = vectors.query_label, vectors.gallery_label
    e = embeddings.read(path, vectors=False)
    assert isinstance(e.scores, np.memmap)
    packed = tmp_path / "packed.h5"
    with h5py.File(packed, "w") as file:
        file.create_dataset("scores", data=scores, compression="gzip")
        file["query_label"], file["gallery_label"] = vectors.query_label, vectors.gallery_label
    np.savez(tmp_path / "s.npz", scores=scores, query_label=vectors.query_label,
             gallery_label=vectors.gallery_label)  # fmt: skip
    definition = [definitions.get("standard")]
    expected = values(evaluate(e, METRICS, definition))
    for other in (packed, tmp_path / "s.npz"):
        found = embeddings.read(other, vectors=False)
        assert values(evaluate(found, METRICS, definition)) == expected
    again = tmp_path / "again.h5"
    embeddings.write(e, again)
    assert np.array_equal(embeddings.read(again, vectors=False).scores, scores)
    with pytest.raises(MissingError, match="scores of pairs, not vectors"):
        embeddings.read(path)


def test_what_cannot_be_had_is_refused(vectors):
    scores = vectors.query @ vectors.gallery.T
    only = of(vectors, scores=scores)
    with pytest.raises(MismatchError, match="zsih ranks binary codes"):
        evaluate(only, METRICS, [definitions.get("zsih")])
    sign = definitions.get("standard", ["nonpositive=ignore"])
    evaluate(only, METRICS, [sign])
    with pytest.raises(MismatchError, match="sign of a score"):
        evaluate(of(vectors, distances=-scores), METRICS, [sign])
    with pytest.raises(MismatchError, match="both scores and distances"):
        of(vectors, scores=scores, distances=-scores)
    with pytest.raises(MismatchError, match="number for every pair|shape"):
        of(vectors, scores=scores[:, :-1])
    bad = scores.copy()
    bad[3, 4] = np.nan
    with pytest.raises(CorruptError, match="scores row 3"):
        of(vectors, scores=bad)
    with pytest.raises(UsageError, match="processor"):
        evaluate(only, METRICS, [definitions.get("standard")], Options(plan=Plan(device="cuda")))


def test_an_audit_leaves_out_what_it_cannot_have_and_says_so(vectors):
    found = audit(of(vectors, distances=-(vectors.query @ vectors.gallery.T)))
    assert "zsih" not in found.rows
    assert any("zsih is left out: it ranks binary codes" in line for line in found.warnings)
    assert found.rows["sake"]["map@all"] == pytest.approx(
        audit(vectors).rows["sake"]["map@all"], abs=1e-12
    )


@pytest.mark.parametrize("seed", range(3))
def test_ties_of_a_matrix_follow_the_rule(seed):
    rng = np.random.default_rng(seed)
    q, g = rng.integers(0, 3, 20), rng.integers(0, 3, 30)
    scores = rng.integers(0, 4, (20, 30)).astype(np.float32)
    e = Embeddings.from_arrays(None, None, q, g, scores=scores)
    (result,) = evaluate(e, [parse("map@all")], [definitions.get("standard")])
    naive = []
    for row, label in zip(scores, q, strict=True):
        hit = g[np.argsort(-row, kind="stable")] == label
        naive.append(np.mean([hit[: r + 1].mean() for r in np.flatnonzero(hit)]))
    assert result.mean("map@all") == pytest.approx(np.mean(naive))
