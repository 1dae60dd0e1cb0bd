"""Every engine against naive loops and against exact."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_gallery import unit

from sbirctl.core.errors import CorruptError, MissingError, UsageError
from sbirctl.core.progress import Reporter
from sbirctl.galleries.engines import ENGINES, bring_up_to_date, engine_class, exact, recall
from sbirctl.galleries.engines.exact import Exact

DIM = 24
KINDS = ("flat", "hnsw", "ivf", "pq", "sq")


def ids_of(numbers):
    return np.array([f"{number:08x}" * 8 for number in numbers], dtype="S64")


def vectors_of(count, seed=0):
    """Unit vectors in bundles, as photos of classes are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, DIM))
    return unit(centres[rng.integers(0, 20, count)] + 0.5 * rng.normal(size=(count, DIM))).astype(
        np.float32
    )


@pytest.fixture
def faiss():
    return pytest.importorskip("faiss", reason="the extra faiss is not installed")


@pytest.fixture
def qdrant(tmp_path):
    """The address of a collection in the client's local mode."""
    pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")
    return f"qdrant://{tmp_path}/things"


@settings(max_examples=30)
@given(
    st.lists(st.integers(-2, 2), min_size=2, max_size=60),
    st.integers(1, 9),
    st.sampled_from([1, 2, 5, 1 << 15]),
)
def test_exact_is_what_a_naive_loop_finds_equal_scores_by_id(values, k, block):
    vectors = np.array(values[: len(values) // 2 * 2], dtype=np.float32).reshape(-1, 2)
    vectors[(vectors == 0).all(1)] = 1
    queries = np.array([[1, 0], [0.5, -2]], dtype=np.float32)
    numbers = np.random.default_rng(0).permutation(len(vectors))
    engine = Exact("exact", 2)
    engine.add(ids_of(numbers), vectors)
    before, exact._SCORES = exact._SCORES, block * len(queries)
    try:
        found = engine.search(queries, k)
    finally:
        exact._SCORES = before
    for row, query in enumerate(queries):
        pairs = sorted((-float(v @ query), int(n)) for v, n in zip(vectors, numbers, strict=True))
        expected = [(f"{n:08x}" * 8).encode() for _, n in pairs[:k]]
        assert found.ids[row].tolist() == expected + [b""] * (k - len(expected))
        assert np.allclose(found.scores[row, : len(expected)], [-s for s, _ in pairs[:k]])


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 12), max_size=8, unique=True), min_size=1, max_size=5))
def test_exact_follows_whatever_joins_and_leaves(states):
    table = vectors_of(13)
    engine = Exact("exact", DIM)
    for state in states:
        wanted = np.array(sorted(state), dtype=np.int64)
        engine = bring_up_to_date(engine, "exact", ids_of(wanted), table[wanted])
        assert sorted(engine.ids().tolist()) == ids_of(wanted).tolist()
        for number in range(13):
            vector = engine.vector(ids_of([number])[0])
            assert (vector is None) == (number not in state)
            assert vector is None or np.array_equal(vector, table[number])


def test_exact_on_a_device_finds_the_same(monkeypatch):
    monkeypatch.setattr(exact, "_SCORES", 64 * 5)
    engine = Exact("exact", DIM)
    engine.add(ids_of(range(300)), vectors_of(300))
    queries = vectors_of(5, seed=3)
    one = engine.search(queries, 20)
    engine.move("cpu")
    other = engine.search(queries, 20)
    assert other.ids.tolist() == one.ids.tolist()
    assert np.allclose(other.scores, one.scores, atol=1e-6)
    engine.remove(ids_of([int(one.ids[0, 0][:8], 16)]))
    assert engine.search(queries[:1], 1).ids[0, 0] == one.ids[0, 1]


def test_faiss_flat_and_qdrant_find_the_twenty_that_exact_finds(faiss, qdrant):
    vectors, queries = vectors_of(150), vectors_of(40, seed=1)
    found = {}
    for spec in ("exact", "faiss:flat", qdrant):
        engine = engine_class(spec)(spec, DIM)
        engine.add(ids_of(range(150)), vectors)
        assert len(engine) == 150
        found[spec] = engine.search(queries, 20)
    one = found.pop("exact")
    for other in found.values():
        assert other.ids.tolist() == one.ids.tolist()
        assert np.allclose(other.scores, one.scores, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_faiss_adds_removes_saves_and_finds_nearly_all(faiss, tmp_path, kind):
    spec, count = f"faiss:{kind}", 1200
    vectors, ids = vectors_of(count), ids_of(range(count))
    engine = engine_class(spec)(spec, DIM)
    engine.add(ids[:1000], vectors[:1000])
    kept = np.arange(100, count)
    notes = []

    class Listener(Reporter):
        def note(self, message):
            notes.append(message)

    engine = bring_up_to_date(engine, spec, ids[kept], vectors[kept], Listener())
    assert bool(notes) == (kind == "hnsw")
    folder = tmp_path / "saved"
    folder.mkdir()
    engine.save(folder)
    engine = engine_class(spec).load(folder, spec, DIM)
    assert sorted(engine.ids().tolist()) == ids[kept].tolist()
    plain = Exact("exact", DIM)
    plain.add(ids[kept], vectors[kept])
    value = recall(engine, plain, vectors_of(50, seed=2), 20)
    assert value >= {"flat": 1.0, "hnsw": 0.97, "ivf": 0.75, "pq": 0.6, "sq": 0.95}[kind]
    assert engine.vector(ids[0]) is None
    assert float(engine.vector(ids[700]) @ vectors[700]) > (0.9 if kind == "pq" else 0.999)


def test_an_index_that_grew_fourfold_is_learnt_anew(faiss):
    vectors, ids = vectors_of(3000), ids_of(range(3000))
    engine = engine_class("faiss:ivf")("faiss:ivf", DIM)
    engine.add(ids[:200], vectors[:200])
    assert engine._index.nlist == 5
    engine = bring_up_to_date(engine, "faiss:ivf", ids[:700], vectors[:700])
    assert engine._index.nlist == 5
    engine = bring_up_to_date(engine, "faiss:ivf", ids, vectors)
    assert engine._index.nlist == 76


def test_too_few_photos_to_learn_from(faiss):
    for kind in ("ivf", "pq"):
        engine = engine_class(f"faiss:{kind}")(f"faiss:{kind}", DIM)
        with pytest.raises(UsageError, match="too few") as raised:
            engine.add(ids_of(range(30)), vectors_of(30))
        assert "exact" in raised.value.hint


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("qdrant://host/photos", ("http://host:6333", "photos")),
        ("qdrant://host:7000/photos", ("http://host:7000", "photos")),
        ("qdrant+https://host/photos", ("https://host:6333", "photos")),
        ("qdrant://[::1]:6333/photos", ("http://[::1]:6333", "photos")),
        ("qdrant:///some/folder/photos", ("/some/folder", "photos")),
    ],
)
def test_addresses(spec, expected):
    from sbirctl.galleries.engines._qdrant_client import parse

    assert parse(spec) == expected


@pytest.mark.parametrize(
    "spec", ["qdrant://host", "qdrant://host/a/b", "qdrant:///photos", "qdrant://h:x/p", "qdrant:p"]
)
def test_what_is_no_address(spec):
    from sbirctl.galleries.engines._qdrant_client import parse

    with pytest.raises(UsageError, match="no address"):
        parse(spec)


def test_nobody_answers():
    pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")
    with pytest.raises(MissingError, match="does not answer"):
        engine_class("qdrant://127.0.0.1:9/photos")("qdrant://127.0.0.1:9/photos", DIM)


@pytest.mark.parametrize("name", ["faiss", "qdrant_client"])
def test_an_extra_that_is_not_installed(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    spec = {"faiss": "faiss:hnsw", "qdrant_client": "qdrant://host/x"}[name]
    with pytest.raises(MissingError, match="not installed") as raised:
        engine_class(spec)(spec, DIM)
    assert "pip install" in raised.value.hint


def test_unknown_engines_are_named():
    assert ENGINES.names() == ("exact", "faiss", "qdrant")
    with pytest.raises(UsageError, match="exat"):
        engine_class("exat")
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    with pytest.raises(UsageError, match="hnws"):
        engine_class("faiss:hnws")("faiss:hnws", DIM)


def test_what_is_wrong_with_an_engine_is_said_before_any_work():
    engine_class("exact").check("exact")
    with pytest.raises(UsageError, match="exact:fast"):
        engine_class("exact:fast").check("exact:fast")
    with pytest.raises(UsageError, match="hnws"):
        engine_class("faiss:hnws").check("faiss:hnws")
    with pytest.raises(UsageError, match="no address"):
        engine_class("qdrant://host").check("qdrant://host")
    pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")
    with pytest.raises(MissingError, match="does not answer"):
        engine_class("qdrant://127.0.0.1:9/photos").check("qdrant://127.0.0.1:9/photos")


def test_damaged_files(faiss, tmp_path):
    spec = "faiss:sq"
    engine = engine_class(spec)(spec, DIM)
    engine.add(ids_of(range(50)), vectors_of(50))
    engine.save(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        data = path.read_bytes()
        for cut in (0, 10, len(data) - 7):
            path.write_bytes(data[:cut])
            with pytest.raises(CorruptError, match="damaged"):
                engine_class(spec).load(tmp_path, spec, DIM)
        path.write_bytes(data)
    with pytest.raises(CorruptError):
        engine_class(spec).load(tmp_path, spec, DIM + 1)
