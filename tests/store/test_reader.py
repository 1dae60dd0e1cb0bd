import json
import multiprocessing
import os
import pickle

import h5py
import numpy as np
import pytest
from pictures import source

from sbirctl.core.errors import CorruptError, MismatchError, MissingError
from sbirctl.store.edges import EdgeSource, write_edges
from sbirctl.store.reader import Store, prepared
from sbirctl.store.writer import StoreSettings, build_store


@pytest.fixture
def store():
    build_store("s", source(), StoreSettings(size=16), workers=1)
    return Store.open("s")


def test_rows_come_in_any_order_and_repeat(store):
    everything = store.read("photo", range(10))
    assert everything.shape == (10, 16, 16, 3)
    assert everything.dtype == np.uint8
    rows = [3, 9, 3, 0]
    assert np.array_equal(store.read("photo", rows), everything[rows])
    assert store.read("sketch", np.array([], dtype=int)).shape == (0, 16, 16, 1)
    store.read("photo", [0])[:] = 0  # what is given is the caller's own
    assert np.array_equal(store.read("photo", [0])[0], everything[0])


@pytest.mark.parametrize("rows", [[10], [-1], [0, 99]])
def test_rows_that_are_not_there(store, rows):
    with pytest.raises(IndexError):
        store.read("photo", rows)


def _read(store, rows):
    return store.read("photo", rows)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_store_goes_to_worker_processes(store, start):
    here = store.read("photo", [4, 2])  # opened before the fork
    with multiprocessing.get_context(start).Pool(1) as pool:
        assert np.array_equal(pool.apply(_read, (store, [4, 2])), here)


def test_nothing_open_is_pickled(store):
    store.read("photo", [0])
    again = pickle.loads(pickle.dumps(store))
    assert again.images("photo")._mapped is None
    assert again.digest == store.digest
    assert np.array_equal(again.read("sketch", [1]), store.read("sketch", [1]))


def test_by_name_and_by_path(store, monkeypatch, tmp_path):
    assert Store.open(store.folder).digest == store.digest
    assert Store.open(str(store.folder)).digest == store.digest
    assert prepared() == ("s",)
    moved = tmp_path / "elsewhere"
    store.folder.rename(moved)
    assert Store.open(moved).read("photo", [0]).shape == (1, 16, 16, 3)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingError, match="no prepared data set 's'"):
        Store.open("s")


def test_missing_names_what_to_type():
    with pytest.raises(MissingError) as caught:
        Store.open("sketchy")
    assert "sbirctl prepare sketchy" in caught.value.hint


def test_edges(store):
    with pytest.raises(MissingError, match="no edge maps"):
        store.read_edges([0])
    maps = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 1), dtype=np.uint8)
    write_edges(store, EdgeSource("gb", {}, lambda rows: maps[rows]))
    assert np.array_equal(store.read_edges([7, 1]), maps[[7, 1]])


def test_images_of_another_store_are_refused(store):
    with h5py.File(store.folder / "images.h5", "r+") as file:
        file.attrs.modify("digest", np.bytes_("other"))
    with pytest.raises(CorruptError, match="another manifest"):
        store.read("photo", [0])


@pytest.mark.parametrize("damage", [b"", b"junk" * 100])
def test_a_damaged_image_file(store, damage):
    (store.folder / "images.h5").write_bytes(damage)
    with pytest.raises(CorruptError, match=r"images\.h5"):
        store.read("photo", [0])


def test_a_shortened_image_file(store):
    path = store.folder / "images.h5"
    os.truncate(path, path.stat().st_size - 100)
    with pytest.raises(CorruptError):
        store.read("sketch", [9])


@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", b'{"schema": 2}', b"\xff{"])
def test_a_damaged_manifest(store, damage):
    (store.folder / "manifest.json").write_bytes(damage)
    with pytest.raises(CorruptError):
        Store.open("s")


@pytest.mark.parametrize(("schema", "says"), [(1, "an older sbirctl"), (99, "a newer sbirctl")])
def test_a_store_of_another_version(store, schema, says):
    path = store.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": schema}))
    with pytest.raises(MismatchError, match=f"made by {says}") as refused:
        Store.open("s")
    assert ("sbirctl prepare" in refused.value.hint) == (schema == 1)


def test_an_array_in_pieces_is_refused(store):
    path = store.folder / "images.h5"
    with h5py.File(path, "r+") as file:
        pixels = file["photo"][:]
        del file["photo"]
        file.create_dataset("photo", data=pixels, chunks=(1, 16, 16, 3))
    with pytest.raises(CorruptError, match="photo does not lie in one piece"):
        store.read("photo", [0])


def test_the_manifest_tells_no_time_and_no_place(store, tmp_path):
    text = (store.folder / "manifest.json").read_text()
    assert str(tmp_path) not in text
    assert set(json.loads(text)) == {
        "schema", "name", "dataset", "digest", "settings", "source", "rows", "pixels", "counts",
        "ignored", "skipped", "remarks", "items",
    }  # fmt: skip
