"""What is said of vectors that tell nothing apart, and that nothing is said of others."""

import numpy as np
import pytest

from sbirctl.retrieval import metrics
from sbirctl.retrieval.audit import audit
from sbirctl.retrieval.collapse import (
    TIED,
    effective_rank,
    tie_rules,
    tie_sign,
    tied_share,
    vector_signs,
)
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, evaluate

LABEL = np.repeat(np.arange(5), 4)


def side(query, gallery=None, label=LABEL, **more):
    gallery = query if gallery is None else gallery
    return Embeddings(query, gallery, label, label, tuple("abcde"), **more)


def random(seed=0, size=(20, 8)):
    return np.random.default_rng(seed).standard_normal(size)


def said(e):
    return " ".join(vector_signs(e))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_healthy_vectors_are_not_spoken_of(kind):
    assert said(side(random().astype(kind), random(1).astype(kind))) == ""
    cone = np.ones((20, 8)) + 0.4 * random()  # all cosines about 0.85, as CLIP's are
    assert said(side(cone.astype(kind))) == ""
    perfect = np.eye(5)[LABEL] + 1e-3 * random(size=(20, 5))  # classes as points: no collapse
    assert said(side(perfect.astype(kind))) == ""


def test_equal_vectors():
    assert "20 photos have only 1 distinct vector." in said(side(np.ones((20, 8), np.float32)))
    noisy = np.ones((20, 8)) * (1 + 1e-8 * random())
    assert "20 photos have only 1 distinct vector." in said(side(noisy))
    few = random(size=(3, 8))[np.arange(20) % 3]
    assert "20 sketches have only 3 distinct vectors." in said(side(few, random()))
    assert "photos" not in said(side(few, random()))


def test_photos_that_are_the_same_file_may_have_equal_vectors():
    few = random(size=(4, 8))[np.arange(20) % 4]
    digest = np.array([f"{i % 4}".encode() for i in range(20)])
    assert said(side(random(), few, gallery_digest=digest)) == ""
    assert "only 4 distinct" in said(side(random(), few))


def test_zeros_are_counted():
    some = random()
    some[[3, 7]] = 0
    assert "2 of 20 photos are vectors of zeros" in said(side(random(), some))


def test_one_direction():
    line = np.outer(random(size=(20,)), np.ones(8))
    assert "effective rank 1.00 of 8 dimensions" in said(side(line))
    assert "effective rank 1.00 of 1 dimension." in said(side(random(size=(20, 1))))
    plane = np.stack([np.ones(20), np.linspace(-1, 1, 20)], axis=1)
    assert "differ in one direction" in said(side(plane))


def test_effective_rank():
    assert effective_rank(np.eye(5)) == pytest.approx(5)
    assert effective_rank(np.eye(5)[[0, 0, 1, 1]]) == pytest.approx(2)
    assert effective_rank(np.outer([1.0, -2.0, 3.0], [1.0, 2.0])) == pytest.approx(1)
    assert effective_rank(np.diag([2.0, 1.0])) == pytest.approx(25 / 17)  # moments 4 and 1
    assert effective_rank(np.zeros((3, 2))) == 1


def share(e, **more):
    (result,) = evaluate(e, [metrics.parse("map@all")], [get("standard")], **more)
    return tied_share(result)


def test_the_share_of_tied_photos_by_hand():
    """Scores 1, 1, 0 of photos a, b, a: the first is tied with one of another class behind it."""
    gallery = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    e = Embeddings(np.eye(1, 2), gallery, np.array([0]), np.array([0, 1, 0]), ("a", "b"))
    assert share(e) == 0.5
    # Copies of one photo are equal among themselves: no rule changes a figure
    e = Embeddings(np.eye(1, 2), gallery, np.array([0]), np.array([0, 0, 1]), ("a", "b"))
    assert share(e) == 0.0
    assert share(side(np.ones((20, 8)))) == 0.8  # all but the last class have others behind


def test_the_rules_for_equal_scores_are_set_beside_each_other():
    e = side(np.ones((20, 8), np.float32))
    wanted = [metrics.parse("map@all"), metrics.parse("prec@4")]
    figures = tie_rules(e, wanted, get("standard"), Options())
    assert figures["grouped"]["map@all"] == pytest.approx(0.2)
    assert figures["pessimistic"]["map@all"] == pytest.approx(
        np.mean([i / (16 + i) for i in range(1, 5)])
    )
    text = tie_sign(0.8, figures, "map@all", {"map@all": 0.3094})
    assert "At least 80% of the relevant photos" in text
    assert text.endswith("0.2000 grouped, 0.1320 ranked last; chance is 0.3094.")


def test_an_audit_says_it():
    warnings = " ".join(audit(side(np.ones((20, 64), np.float32))).warnings)
    assert "only 1 distinct vector" in warnings
    assert "the rule for equal scores decides" in warnings
    assert "the rule for equal scores decides" not in " ".join(audit(side(random())).warnings)
    assert 0 < TIED < 1
