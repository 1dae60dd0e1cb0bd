"""Binary codes: signs, and ITQ fitted on the training side."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.retrieval import definitions, metrics
from sbirctl.retrieval.codes import ITERATIONS, encoder, fit_itq
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, evaluate


def clusters(train=True, seed=0):
    rng = np.random.default_rng(seed)
    centre = 3 * rng.standard_normal((6, 32)) + 5
    label = np.arange(120) % 6
    points = centre[label] + rng.standard_normal((120, 32))
    more = {}
    if train:
        more = {
            "train": centre[np.arange(300) % 6] + rng.standard_normal((300, 32)),
            "train_label": np.arange(300) % 6,
            "train_classes": tuple("uvwxyz"),
        }
    return Embeddings(points[:60], points[60:], label[:60], label[60:], tuple("abcdef"), **more)


def quantisation(train, mean, projection):
    values = (train - mean) @ projection
    return np.mean((np.where(values >= 0, 1, -1) - values) ** 2)


def test_itq_quantises_better_than_its_principal_components():
    train = clusters().train
    mean, projection = fit_itq(train, 16)
    _, vectors = np.linalg.eigh(np.cov(train, rowvar=False))
    components = vectors[:, ::-1][:, :16]
    assert np.allclose(projection.T @ projection, np.eye(16))
    assert np.allclose(components @ (components.T @ projection), projection)
    assert quantisation(train, mean, projection) < quantisation(train, mean, components)


def test_every_rotation_is_nearest_to_the_codes_before_it():
    """Eqs. 2 and 3 in turns, with SciPy's solution of the orthogonal Procrustes problem."""
    train = clusters().train
    mean, projection = fit_itq(train, 8)
    centred = train - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    components = vectors[:, ::-1][:, :8]
    rotation = np.linalg.qr(rng_for("itq", 8).standard_normal((8, 8)))[0]
    for _ in range(ITERATIONS):
        codes = np.where(centred @ components @ rotation >= 0, 1, -1)
        rotation, _ = orthogonal_procrustes(centred @ components, codes)
    assert np.allclose(projection, components @ rotation)


def test_codes_are_plus_and_minus_one():
    e = clusters()
    for name, bits in (("sign", 32), ("itq", 8)):
        made = encoder(e, name, 8)
        codes = made.encode(e.query)
        assert codes.shape == (60, bits) == (60, made.bits)
        assert codes.dtype == np.float32
        assert set(np.unique(codes)) <= {-1.0, 1.0}
    assert encoder(e, "sign").encode(np.zeros((1, 3)))[0, 0] == 1.0


def test_itq_keeps_what_signs_lose():
    """The clusters lie on one side of the origin, so signs say nothing; centred codes do."""
    e = clusters()
    hamming = definitions.get("standard", ["similarity=hamming"])
    values = {}
    for name in ("sign", "itq"):
        (result,) = evaluate(e, [metrics.parse("map@all")], [hamming], Options(name, bits=16))
        values[name] = result.mean("map@all")
    assert values["itq"] > values["sign"] + 0.1


def test_itq_looks_at_the_training_side_only():
    e = clusters()
    moved = Embeddings(
        e.query + 9,
        e.gallery,
        e.query_label,
        e.gallery_label,
        e.classes,
        train=e.train,
        train_label=e.train_label,
        train_classes=e.train_classes,
    )
    assert np.array_equal(
        encoder(e, "itq", 8).encode(e.gallery), encoder(moved, "itq", 8).encode(e.gallery)
    )


def test_what_cannot_be_coded():
    with pytest.raises(MissingError, match="training"):
        encoder(clusters(train=False), "itq")
    with pytest.raises(UsageError, match="64 bits"):
        encoder(clusters(), "itq", 64)
    with pytest.raises(UsageError, match="lsh"):
        Options(binary="lsh")


def test_signs_are_those_of_the_values_and_zero_is_positive():
    rows = np.array([[2.0, -3.0, 0.0], [-1.0, 0.5, -0.0]])
    e = Embeddings.from_arrays(rows, rows, [0, 1], [0, 1])
    assert encoder(e, "sign").encode(rows).tolist() == [[1, -1, 1], [-1, 1, 1]]
