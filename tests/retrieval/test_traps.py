"""Each trap is found where it is, and only there."""

import numpy as np

from sbirctl.retrieval.audit import audit
from sbirctl.retrieval.embeddings import Embeddings


def side(**more):
    rng = np.random.default_rng(0)
    made = {
        "query": 0.6 + 0.5 * rng.standard_normal((6, 64)) + np.eye(2, 64)[np.arange(6) % 2],
        "gallery": 0.6 + 0.5 * rng.standard_normal((500, 64)) + np.eye(2, 64)[np.arange(500) % 2],
        "query_label": np.arange(6) % 2,
        "gallery_label": np.arange(500) % 2,
        "classes": ("ape", "bat"),
    }
    return Embeddings(**(made | more))


def found(**more):
    return " ".join(audit(side(**more)).warnings)


def test_a_plain_side_only_shows_the_hits_denominator():
    (only,) = audit(side()).warnings
    assert "mAP@K above P@K" in only
    assert "clipprompt" in only
    assert "standard" not in only
    assert "doodle2search" not in only


def test_torchmetrics_sign_rule():
    rng = np.random.default_rng(1)
    assert "torchmetrics" not in found()
    warnings = found(query=rng.standard_normal((6, 64)), gallery=rng.standard_normal((500, 64)))
    assert "torchmetrics>=1.7.4 counts as not relevant" in warnings
    assert "would be" in warnings


def test_duplicates_by_vector_and_by_digest():
    gallery = side().gallery.copy()
    gallery[10] = gallery[11]
    assert "1 of 500 gallery photos repeat" in found(gallery=gallery)
    digest = np.array([f"{i // 2}".encode() for i in range(500)])
    assert "250 of 500 gallery photos repeat" in found(gallery_digest=digest)


def test_sides_that_are_not_the_protocols():
    warnings = audit(side(split="a/b"), published=(12_694, (12_553, 10_453))).warnings
    assert "a/b has 12,694 queries and 12,553 or 10,453 photos in published work" in " ".join(
        warnings
    )
    assert "published" not in " ".join(audit(side(), published=(6, (400, 500))).warnings)
    assert "has 7 queries in published work" in " ".join(audit(side(), published=(7, ())).warnings)
    assert "published" not in found(split="own/classes")


def test_queries_and_classes_without_a_counterpart():
    warnings = found(gallery_label=np.ones(500, int))
    assert "3 of 6 queries have no relevant photo" in warnings
    assert "1 classes of the gallery are never asked for" in found(query_label=np.zeros(6, int))
    assert "fewer than 200 photos (the least 100)" in found(
        gallery_label=np.repeat([0, 1], [100, 400])
    )


def test_leaks():
    warnings = found(train_classes=("bat", "cow"))
    assert "1 test classes were trained on: bat" in warnings
    seen = np.array([False, True])
    assert "trained on" not in found(train_classes=("bat", "cow"), seen=seen)
    digest = np.array([f"{i}".encode() for i in range(500)])
    warnings = found(gallery_digest=digest, train_digest=np.array([b"7", b"9", b"x"]))
    assert "2 test photos are files of the training side" in warnings


def test_the_spread_is_between_the_smallest_and_the_largest():
    one = audit(side())
    for metric, (low, high) in one.spread.items():
        values = [row[metric] for row in one.rows.values()]
        assert (low, high) == (min(values), max(values))


def test_codes_that_tell_nothing_apart():
    assert "distinct code" not in found(gallery=side().gallery - 0.1)
    assert "500 photos have only 1 distinct code (sign)" in found(gallery=np.abs(side().gallery))
