"""Embeddings as other programs write them: read, or refused by name; never from another file."""

import errno
import fcntl
import io
import os
import subprocess
import sys
import unicodedata
import zipfile

import h5py
import numpy as np
import pytest

from sbirctl.core import device
from sbirctl.core.errors import CorruptError, MismatchError, SbirctlError
from sbirctl.retrieval.embeddings import read
from sbirctl.retrieval.hdf5 import _failure


def arrays():
    return {
        "query": np.eye(3, 4, dtype=np.float32),
        "gallery": np.eye(4, dtype=np.float32),
        "query_label": np.array([0, 1, 2]),
        "gallery_label": np.array([0, 1, 2, 2]),
    }


@pytest.fixture
def make(tmp_path):
    """Write an HDF5 file whose arrays are changed by a function of the open file."""

    def made(change=lambda file: None, without=(), **options):
        path = tmp_path / "made.h5"
        with h5py.File(path, "w", **options) as file:
            for key, value in arrays().items():
                if key not in without:
                    file[key] = value
            change(file)
        return path

    return made


def put(key, value, attribute=False, **more):
    def change(file):
        if attribute:
            file.attrs[key] = value
        else:
            file.create_dataset(key, data=value, **more)

    return change


@pytest.mark.parametrize(("key", "right"), [("Query_Path", "query_path"), ("SCOPE", "scope")])
def test_a_key_in_other_capitals_is_named_and_not_passed_over(key, right, make, tmp_path):
    value = np.array([b"a", b"b", b"c"])
    np.savez(tmp_path / "made.npz", **arrays(), **{key: value})
    for path in (make(put(key, value, attribute=key == "SCOPE")), tmp_path / "made.npz"):
        with pytest.raises(MismatchError, match=f"has '{key}', which is read as '{right}'"):
            read(path)


@pytest.mark.parametrize("attribute", [False, True])
@pytest.mark.parametrize("value", ["class", np.bytes_("class"), np.array([b"class"], "S5")[0]])
def test_text_is_used_wherever_it_stands(value, attribute, make):
    assert read(make(put("scope", value, attribute))).scope == "class"
    assert read(make(put("model", value, attribute))).model == "class"


@pytest.mark.parametrize("value", [1, 1.0, np.array([1]), np.array([1.0]), "1", np.uint8(1)])
def test_a_schema_of_any_type(value, make):
    assert len(read(make(put("schema", value, True))).query) == 3


@pytest.mark.parametrize("value", [3, 3.0, 0, 1.5, "new", np.array([1, 2])])
def test_other_schemas_are_refused(value, make):
    with pytest.raises(MismatchError, match="has schema"):
        read(make(put("schema", value, True)))


@pytest.mark.parametrize("size", [512, 1024, 4096])
def test_a_user_block_before_the_signature(size, make):
    """As MATLAB 7.3 writes one."""
    assert len(read(make(userblock_size=size)).gallery) == 4


def test_numbers_of_the_other_byte_order(make, tmp_path):
    swapped = arrays()["query"].astype(">f4")
    found = read(make(put("query", swapped), without=("query",)))
    assert found.query.dtype == np.float32
    assert (found.query == arrays()["query"]).all()
    np.savez(tmp_path / "b.npz", **(arrays() | {"query": swapped}))
    assert read(tmp_path / "b.npz").query.dtype == np.dtype(np.float32)


def reference(file):
    file.create_dataset("query_label", data=file["query"].ref, dtype=h5py.ref_dtype)


def references(file):
    made = file.create_dataset("query_label", (3,), dtype=h5py.ref_dtype)
    made[:] = [file["query"].ref] * 3


def lists(file):
    made = file.create_dataset("query_label", (3,), dtype=h5py.vlen_dtype(np.int32))
    made[0] = [1, 2]


def records(file):
    file["query_label"] = np.zeros(3, dtype=[("a", int), ("b", float)])


@pytest.mark.parametrize(
    "change, words",
    [
        (reference, "references to other objects"),
        (references, "references to other objects"),
        (lists, "lists of different lengths"),
        (records, "records of a, b"),
    ],
)
def test_types_that_are_no_array_are_named(change, words, make):
    with pytest.raises(MismatchError, match=f"query_label holds {words}"):
        read(make(change, without=("query_label",)))


def test_what_nobody_asked_for_is_passed_over(make):
    def more(file):
        file.create_dataset("cell", data=file["query"].ref, dtype=h5py.ref_dtype)
        file.create_dataset("huge", shape=(10**9, 10**6), dtype="f8", chunks=(1, 1000))
        file.create_group("notes")["query"] = [1]
        file["elsewhere"] = h5py.ExternalLink("/no/such/file.h5", "/query")

    assert len(read(make(more)).query) == 3


def themselves(file):
    layout = h5py.VirtualLayout((3, 4), "f4")
    layout[:] = h5py.VirtualSource(".", "query", (3, 4))
    file.create_virtual_dataset("query", layout)


def outside(tmp_path):
    def change(file):
        (tmp_path / "secret").write_bytes(b"topsecret" * 40)
        file.create_dataset("query", (3, 4), "f4", external=[(str(tmp_path / "secret"), 0, 48)])

    return change


def linked(tmp_path):
    def change(file):
        with h5py.File(tmp_path / "other.h5", "w") as other:
            other["query"] = np.ones((3, 4), "f4")
        file["query"] = h5py.ExternalLink("other.h5", "/query")

    return change


def through_a_group(tmp_path):
    def change(file):
        linked(tmp_path)(file)
        file.move("query", "away")
        file["query"] = h5py.SoftLink("/away")

    return change


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda _: themselves, "virtual data set"),
        (outside, "external storage"),
        (linked, "a link to another file"),
        (through_a_group, "a link to another name"),
    ],
)
def test_nothing_outside_the_file_is_read(change, words, make, tmp_path):
    path = make(change(tmp_path), without=("query",))
    with pytest.raises(CorruptError, match=words) as caught:
        read(path)
    assert "secret" not in caught.value.message


def test_arrays_larger_than_the_memory_are_refused_before_they_are_read(make, tmp_path):
    def declared(file):
        file.create_dataset("gallery", shape=(10**9, 4096), dtype="f4", chunks=(64, 4096))

    with pytest.raises(SbirctlError, match=r"declares arrays of 16\.4 TB"):
        read(make(declared, without=("gallery",)))
    header = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (10**9, 4096)}
    np.lib.format.write_array_header_1_0(header, shape)
    np.savez(tmp_path / "n.npz", **{k: v for k, v in arrays().items() if k != "gallery"})
    with zipfile.ZipFile(tmp_path / "n.npz", "a") as file:
        file.writestr("gallery.npy", header.getvalue() + bytes(64))
    with pytest.raises(CorruptError, match="declares 16384000000000 bytes"):
        read(tmp_path / "n.npz")


def test_a_file_that_fits_on_no_machine_of_this_memory(make, monkeypatch):
    monkeypatch.setattr(device, "available_memory", lambda: 100)
    with pytest.raises(SbirctlError, match="100 B of memory are free"):
        read(make())


def test_the_memory_that_is_free_is_a_plausible_number():
    found = device.available_memory()
    assert found is None or 2**20 < found < 2**60


@pytest.mark.parametrize("kinds", [(np.int64, np.uint64), (np.uint64, np.int32), (np.int8, "S2")])
def test_labels_of_any_integer_type_compare_exactly(kinds, make):
    """As floats 2^53 and 2^53 + 1 are one number."""
    base = 2**53 if kinds[0] != np.int8 and kinds[1] != np.int32 else 1
    labels = [np.array([base, base + 1, base + 1]), np.array([base, base + 1, base, base])]
    if kinds[1] == "S2":
        labels[1] = labels[1].astype(str).astype("S2")
    kept = [label.astype(kind) for label, kind in zip(labels, kinds, strict=True)]
    found = read(
        make(
            lambda file: [put("query_label", kept[0])(file), put("gallery_label", kept[1])(file)],
            without=("query_label", "gallery_label"),
        )
    )
    assert found.classes == (str(base), str(base + 1))
    assert found.query_label.tolist() == [0, 1, 1]
    assert found.gallery_label.tolist() == [0, 1, 0, 0]


def test_labels_and_instances_beyond_int64(make):
    top = 2**64 - 1

    def change(file):
        file["query_label"] = np.array([top, top - 1, 3], np.uint64)
        file["gallery_label"] = np.array([top, top - 1, top - 2, 3], np.uint64)
        file["query_instance"] = np.array([top, 5, 7], np.uint64)
        file["gallery_instance"] = np.array([7, -1, 5, 5], np.int64)

    found = read(make(change, without=("query_label", "gallery_label")))
    assert [found.classes[i] for i in found.query_label] == [str(top), str(top - 1), "3"]
    assert found.query_instance[1] == found.gallery_instance[2]
    assert found.query_instance[2] == found.gallery_instance[0]
    assert found.query_instance[0] not in found.gallery_instance
    assert found.gallery_instance[1] == -1

    def named(file):
        change(file)
        file["classes"] = np.array([b"a", b"b"])

    with pytest.raises(MismatchError, match="there are 2 names"):
        read(make(named, without=("query_label", "gallery_label")))


def test_a_file_that_another_program_writes_is_locked_and_not_damaged(make):
    path = make()
    with open(path, "r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        code = "import sys; from sbirctl.retrieval.embeddings import read; read(sys.argv[1])"
        environment = {**os.environ, "HDF5_USE_FILE_LOCKING": "FALSE"}
        command = [sys.executable, "-c", f"from pathlib import Path; {code}".replace(
            "read(sys.argv[1])", "read(Path(sys.argv[1]))"), str(path)]  # fmt: skip
        with pytest.raises(SbirctlError, match="locked: another program") as caught:
            read(path)
        assert "HDF5_USE_FILE_LOCKING=FALSE" in caught.value.hint
        assert caught.value.exit_code == 1
        assert subprocess.run(command, env=environment, check=False).returncode == 0


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_named(number, tmp_path):
    said = _failure(tmp_path / "e.h5", OSError(number, "unable to lock file"))
    assert "no file locks" in said.message
    assert "HDF5_USE_FILE_LOCKING=FALSE" in said.hint
    assert said.exit_code == 1


def torch_archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mine/data.pkl", b"\x80\x02}.")


def other_archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.txt", "words")


def empty_archive(path):
    zipfile.ZipFile(path, "w").close()


@pytest.mark.parametrize(
    "write, words",
    [
        (torch_archive, "was written by torch.save"),
        (other_archive, "a zip archive without arrays"),
        (empty_archive, "a zip archive without arrays"),
        (lambda path: np.save(path.open("wb"), np.eye(2)), "one NumPy array"),
        (lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file"), "MATLAB file older than 7.3"),
        (lambda path: path.write_bytes(b"\x80\x04]."), "a Python pickle"),
        (lambda path: path.write_bytes(b"query,label\n"), r"neither HDF5 nor NPZ\."),
    ],
)
def test_files_of_other_kinds_are_named(write, words, tmp_path):
    write(tmp_path / "e.npz")
    with pytest.raises(CorruptError, match=words) as caught:
        read(tmp_path / "e.npz")
    assert "neither HDF5 nor NPZ" in caught.value.message


@pytest.mark.parametrize("key", ["label", "instance"])
def test_one_name_in_two_unicode_forms_is_one(key, tmp_path):
    names = np.array(["dog", "café", "Å"])
    sides = {"query": unicodedata.normalize("NFC", "café"), "gallery": "cafe\u0301"}
    changed = arrays()
    for side, name in sides.items():
        rows = np.array([0, 1, 2] if side == "query" else [0, 1, 2, 2])
        spelled = np.where(names == "café", name, names)[rows]
        changed[f"{side}_{key}"] = spelled
    np.savez(tmp_path / "made.npz", **changed)
    found = read(tmp_path / "made.npz")
    query, gallery = (getattr(found, f"{side}_{key}") for side in ("query", "gallery"))
    assert (query == gallery[:3]).all()
    if key == "label":
        assert found.classes == ("café", "dog", "Å")


def test_a_value_of_a_file_is_one_and_the_same_everywhere(make):
    with pytest.raises(MismatchError, match="scope has 2 values"):
        read(make(put("scope", np.array([b"class", b"class"]))))

    def both(file):
        file["scope"] = "all"
        file.attrs["scope"] = "class"

    with pytest.raises(MismatchError, match="'class' as an attribute and 'all' as an array"):
        read(make(both))
