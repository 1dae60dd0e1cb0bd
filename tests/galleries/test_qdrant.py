"""The whole protocol of the Qdrant engine: in the client's local mode, and on a real server.

    SBIRCTL_QDRANT_URL=qdrant://localhost:6333 python -m pytest tests/galleries/test_qdrant.py

The server's collections are made by these tests and removed again; no other is touched.
"""

import os
import uuid

import numpy as np
import pytest

from sbirctl.checks.engines import DIM, ids_of, vectors
from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.galleries.engines import bring_up_to_date, recall
from sbirctl.galleries.engines.exact import Exact

pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")

from sbirctl.galleries.engines._qdrant_client import connect, library, parse
from sbirctl.galleries.engines.qdrant import Qdrant, point_id, read_about

SERVER = os.environ.get("SBIRCTL_QDRANT_URL", "").rstrip("/")


@pytest.fixture(params=["local", "server"])
def address(request, tmp_path):
    """Of a collection that does not exist yet."""
    if request.param == "local":
        yield f"qdrant://{tmp_path}/things"
        return
    if not SERVER:
        pytest.skip("SBIRCTL_QDRANT_URL names no server")
    spec = f"{SERVER}/sbirctl-test-{uuid.uuid4().hex}"
    yield spec
    location, name = parse(spec)
    connect(location).delete_collection(name)


def client_of(address):
    location, name = parse(address)
    return connect(location), name


def filled(address, rows):
    engine = Qdrant(address, DIM)
    engine.add(ids_of(rows), vectors()[rows])
    return engine


def test_looking_at_an_address_makes_nothing_there(address):
    Qdrant.check(address)
    client, name = client_of(address)
    assert not client.collection_exists(name)
    with pytest.raises(MissingError, match="no gallery"):
        read_about(address)


def test_added_vectors_are_found_as_exact_finds_them(address):
    rows = np.arange(600)  # more than two batches
    engine = filled(address, rows)
    assert len(engine) == 600
    assert sorted(engine.ids().tolist()) == sorted(ids_of(rows).tolist())
    exact = Exact("exact", DIM)
    exact.add(ids_of(rows), vectors()[rows])
    queries = vectors(seed=1)[:10]
    assert recall(engine, exact, queries, 20) > 0.99
    found, wanted = engine.search(queries, 20), exact.search(queries, 20)
    assert np.allclose(found.scores, wanted.scores, atol=1e-4)
    assert np.allclose(engine.vector(ids_of([599])[0]), vectors()[599], atol=1e-5)
    assert engine.vector(b"f" * 64) is None
    # a digest that shares its first half, and so its point, with a photo's is another photo's
    assert engine.vector(ids_of([599])[0][:32] + b"f" * 32) is None


def test_places_without_a_photo_are_empty(address):
    found = filled(address, np.arange(3)).search(vectors()[:2], 8)
    assert (found.ids[:, 3:] == b"").all()
    assert np.isneginf(found.scores[:, 3:]).all()


def test_photos_leave_and_join(address):
    engine = filled(address, np.arange(400))
    kept = np.arange(100, 500)
    again = bring_up_to_date(engine, address, ids_of(kept), vectors()[kept])
    assert again is engine
    assert sorted(engine.ids().tolist()) == sorted(ids_of(kept).tolist())
    assert engine.vector(ids_of([0])[0]) is None
    gone = ids_of(np.arange(100))
    assert not np.isin(engine.search(vectors()[:20], 30).ids, gone).any()
    engine.remove(gone[:2])  # what is not there any more is no fault
    engine.add(gone[:1], vectors()[:1])
    assert engine.search(vectors()[:1], 1).ids[0, 0] == gone[0]


def test_a_collection_is_opened_again_with_all_it_holds(address):
    filled(address, np.arange(50)).describe(
        {"photos": 50}, {name.decode(): [["/p", 1, 2]] for name in ids_of([7]).tolist()}
    )
    engine = Qdrant(address, DIM)
    assert len(engine) == 50
    assert read_about(address) == {"photos": 50}
    name = ids_of([7])[0].decode()
    assert engine.files([name, "f" * 64]) == {name: [["/p", 1, 2]]}


def test_a_collection_of_other_vectors_is_refused(address):
    filled(address, np.arange(5))
    with pytest.raises(MismatchError, match=f"{DIM + 1} numbers") as raised:
        Qdrant(address, DIM + 1)
    assert "of its own" in raised.value.hint
    assert len(Qdrant(address, DIM)) == 5


def test_a_collection_of_another_program_is_no_gallery_and_named_vectors_are_refused(address):
    client, name = client_of(address)
    models = library()
    size = models.VectorParams(size=DIM, distance=models.Distance.COSINE)
    client.create_collection(name, vectors_config={"image": size})
    with pytest.raises(MismatchError, match="holds other vectors"):
        Qdrant(address, DIM)
    with pytest.raises(MissingError, match="no gallery"):
        read_about(address)


def test_a_collection_that_was_removed_meanwhile_is_said_to_be_gone(address):
    engine = filled(address, np.arange(5))
    client, name = client_of(address)
    client.delete_collection(name)
    for ask in (
        lambda: len(engine),
        lambda: engine.search(vectors()[:1], 3),
        lambda: engine.add(ids_of([9]), vectors()[9:10]),
        lambda: engine.remove(ids_of([1])),
    ):
        with pytest.raises(MissingError) as raised:
            ask()
        assert raised.value.hint


def test_a_server_that_is_gone_is_said_in_two_lines(monkeypatch, address):
    from httpx import ConnectError

    engine = filled(address, np.arange(5))

    def refuses(*words, **more):
        raise ConnectError("[Errno 111] Connection refused")

    for name in ("query_points", "upsert", "delete", "count", "scroll", "retrieve"):
        monkeypatch.setattr(engine._client, name, refuses)
    for ask in (
        lambda: engine.search(vectors()[:1], 3),
        lambda: engine.add(ids_of([9]), vectors()[9:10]),
        lambda: engine.remove(ids_of([1])),
        lambda: len(engine),
        lambda: engine.ids(),
        lambda: engine.vector(ids_of([1])[0]),
    ):
        with pytest.raises(MissingError, match="does not answer") as raised:
            ask()
        assert "running" in raised.value.hint


def test_points_are_named_by_the_first_half_of_a_digest():
    assert point_id("0123456789abcdef" * 4) == "01234567-89ab-cdef-0123-456789abcdef"
