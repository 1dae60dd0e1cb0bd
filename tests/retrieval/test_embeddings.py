"""Embeddings files: what comes back, what is refused, and that nothing in them is executed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.core.errors import CorruptError, MismatchError, MissingError
from sbirctl.retrieval.embeddings import Embeddings, read, write
from sbirctl.retrieval.provenance import Provenance


def small(**more):
    made = {
        "query": np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32),
        "gallery": np.array([[1.0, 0.5], [0.0, 1.0], [0.5, 0.5]], dtype=np.float16),
        "query_label": np.array([0, 1]),
        "gallery_label": np.array([0, 1, 1]),
        "classes": ("hot-air_balloon", "Möwe"),
    }
    return Embeddings(**(made | more))


FULL = {
    "query_instance": np.array([3, -1]),
    "gallery_instance": np.array([3, 4, -1]),
    "query_path": np.array([b"a\xff.png", b"b c.png"]),
    "gallery_path": np.array([b"1", b"2", b"3"]),
    "query_digest": np.array([b"ab", b"cd"]),
    "gallery_digest": np.array([b"ab", b"cd", b"ef"]),
    "train": np.ones((2, 2), dtype=np.float64),
    "train_label": np.array([0, 1]),
    "train_digest": np.array([b"11", b"22"]),
    "train_classes": ("ape", "bat"),
    "seen": np.array([True, False]),
    "query_group": np.array([0, 1]),
    "gallery_group": np.array([0, 1, 1]),
    "groups": ("shoe", "chair"),
    "scope": "class",
    "model": "clip",
    "checkpoint": "12ab",
    "store": "34cd",
    "task": "fg",
    "split": "sketchy/imagenet21",
    "provenance": Provenance(seed=3, unseen=("ä",), settings={"rate": 0.5, "sizes": [1, 2]}),
}


@pytest.mark.parametrize("more", [{}, FULL])
def test_what_was_written_comes_back(more, tmp_path):
    before = small(**more)
    write(before, tmp_path / "e.h5")
    after = read(tmp_path / "e.h5")
    for name, value in vars(before).items():
        found = getattr(after, name)
        if isinstance(value, np.ndarray):
            assert found.dtype == value.dtype, name
            assert np.array_equal(found, value), name
        else:
            assert found == value, name


def test_equal_embeddings_give_equal_bytes(tmp_path):
    write(small(**FULL), tmp_path / "a.h5")
    write(small(**FULL), tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_npz_of_another_program(tmp_path):
    np.savez(
        tmp_path / "vectors.bin.npz",
        query=np.eye(2),
        gallery=np.eye(3, 2),
        query_label=["b", "a"],
        gallery_label=["a", "b", "c"],
        query_path=["ä.png", "b.png"],
        query_instance=["x", ""],
        gallery_instance=["x", "y", ""],
        model="mine",
    )
    (tmp_path / "vectors.bin.npz").rename(tmp_path / "vectors")  # the content says what it is
    e = read(tmp_path / "vectors")
    assert e.classes == ("a", "b", "c")
    assert e.query_label.tolist() == [1, 0]
    assert e.query_path[0] == "ä.png".encode()
    assert e.query_instance[1] == e.gallery_instance[2] == -1
    assert e.query_instance[0] == e.gallery_instance[0] >= 0
    assert e.model == "mine"


def test_numbers_as_labels_need_no_names(tmp_path):
    np.savez(
        tmp_path / "n.npz",
        query=np.eye(2),
        gallery=np.eye(2),
        query_label=np.array([70, -3]),
        gallery_label=np.array([-3, 70]),
    )
    e = read(tmp_path / "n.npz")
    assert e.classes == ("-3", "70")
    assert e.query_label.tolist() == [1, 0]


def test_training_labels_share_the_names_of_the_test_classes(tmp_path):
    np.savez(
        tmp_path / "n.npz",
        query=np.eye(2),
        gallery=np.eye(2),
        query_label=[0, 1],
        gallery_label=[0, 1],
        classes=["ape", "bat", "cat"],
        train=np.eye(2),
        train_label=[2, 2],
    )
    e = read(tmp_path / "n.npz")
    assert e.train_classes == ("ape", "bat", "cat")
    assert e.train_label.tolist() == [2, 2]


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"query": np.array([[1.0, np.nan], [0.0, 1.0]])}, CorruptError, "query row 0"),
        ({"gallery": np.full((3, 2), np.inf, np.float16)}, CorruptError, "gallery row 0"),
        ({"query": np.zeros((0, 2)), "query_label": np.zeros(0, int)}, MissingError, "empty"),
        ({"gallery": np.ones((3, 5))}, MismatchError, "2 dimensions"),
        ({"gallery": np.ones(3)}, MismatchError, "float matrix"),
        ({"gallery": np.ones((3, 2), int)}, MismatchError, "float matrix"),
        ({"query_label": np.array([0])}, MismatchError, "query_label"),
        ({"query_label": np.array([0, 2])}, MismatchError, "0 to 2"),
        ({"query_label": np.array([-1, 0])}, MismatchError, "-1 to 0"),
        (
            {"query_label": np.array([0, 0]), "gallery_label": np.ones(3, int)},
            MismatchError,
            "Möwe",
        ),
        ({"query_instance": np.array([1, 2])}, MismatchError, "only one side"),
        ({"query_path": np.array([b"a"])}, MismatchError, "query_path"),
        ({"train": np.ones((2, 2))}, MismatchError, "train_label"),
        ({"seen": np.array([True])}, MismatchError, "seen"),
        ({"scope": "some"}, MismatchError, "scope"),
    ],
)
def test_what_cannot_be_ranked_is_refused(change, error, words):
    with pytest.raises(error, match=words):
        small(**change)


def test_objects_are_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("executed",))

    np.savez(
        tmp_path / "trap.npz",
        query=np.eye(2),
        gallery=np.eye(2),
        query_label=np.array([Trap(), Trap()], dtype=object),
        gallery_label=np.array([0, 1]),
    )
    with pytest.raises(CorruptError, match="Python objects"):
        read(tmp_path / "trap.npz")


def test_missing_keys_are_named(tmp_path):
    np.savez(tmp_path / "part.npz", query=np.eye(2), gallery=np.eye(2))
    with pytest.raises(MissingError, match="query_label, gallery_label"):
        read(tmp_path / "part.npz")


def test_a_newer_schema_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    write(small(), tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "r+") as file:
        file.attrs["schema"] = 99
    with pytest.raises(MismatchError, match="schema 99"):
        read(tmp_path / "e.h5")


@pytest.mark.parametrize("suffix", ["h5", "npz"])
@settings(max_examples=25)
@given(cut=st.floats(0.02, 0.98))
def test_a_file_cut_short_is_an_error_a_person_can_read(suffix, cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    path = folder / f"e.{suffix}"
    if suffix == "h5":
        write(small(**FULL), path)
    else:
        e = small()
        np.savez(
            path,
            query=e.query,
            gallery=e.gallery,
            query_label=e.query_label,
            gallery_label=e.gallery_label,
        )
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises((CorruptError, MissingError)):
        read(path)
