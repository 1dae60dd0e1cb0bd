"""Edge maps of a store: right rows, crash-safe shards, several kinds, maps made elsewhere."""

import json

import h5py
import numpy as np
import pytest
from pictures import source
from PIL import Image

from sbirctl.core.errors import CorruptError, MismatchError, MissingError, SbirctlError
from sbirctl.core.progress import Reporter
from sbirctl.retrieval.provenance import EdgeMaps
from sbirctl.store import edges as store_edges
from sbirctl.store.edge_folder import edge_folder_source
from sbirctl.store.edges import EdgeSource, missing_rows, write_edges
from sbirctl.store.pixels import checksum, digest_of
from sbirctl.store.reader import Store
from sbirctl.store.verify import verify
from sbirctl.store.writer import StoreSettings, build_store


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(store_edges, "SHARD_MAPS", 4)
    monkeypatch.setattr(store_edges, "STEP", 3)


def build(**more):
    return Store.open(build_store("s", source(**more), StoreSettings(16), workers=1))


def green(store, calls=None, method="gb", **parameters):
    """Maps by which a photo is known again: its second channel."""

    def make(rows):
        if calls is not None:
            calls.extend(rows.tolist())
        return store.read("photo", rows)[..., 1:2]

    return EdgeSource(method, parameters, make)


def test_maps_are_read_row_for_row_with_the_photos():
    store = build()
    assert store.edges is None
    path = write_edges(store, green(store))
    store = Store.open("s")
    rows = [7, 0, 3, 3]
    assert np.array_equal(store.read_edges(rows), store.read("photo", rows)[..., 1:2])
    assert path.exists()
    assert not (store.folder / store_edges.SHARDS).exists()
    sums = np.array([checksum(one) for one in store.read_edges(range(10))])
    name = path.stem.removeprefix("edges-")
    assert store.edges == EdgeMaps(name, "gb", {}, digest_of(sums))


@pytest.mark.parametrize(
    ("name", "place", "message"),
    [("edge", (6, 3, 3, 0), "map of row 6 has"), ("edge_crc32", 6, "their checksums are not")],
)
def test_verify_finds_a_changed_map(name, place, message):
    store = build()
    path = write_edges(store, green(store))
    verify(Store.open("s"))
    with h5py.File(path, "r+") as file:
        file[name][place] ^= 1
    with pytest.raises(CorruptError, match=message):
        verify(Store.open("s"))
    path.unlink()
    write_edges(store, green(store))
    verify(Store.open("s"))


def test_a_stopped_run_continues_and_gives_the_same_bytes():
    store = build()
    expected = write_edges(store, green(store)).read_bytes()
    write_edges(store, green(store)).unlink()
    calls = []
    whole = green(store, calls)

    def stops(rows):
        if 6 in rows:
            raise KeyboardInterrupt
        return whole.make(rows)

    with pytest.raises(KeyboardInterrupt):
        write_edges(store, EdgeSource("gb", {}, stops))
    assert calls == [0, 1, 2, 3]  # the second shard is not whole
    assert missing_rows(store, whole).tolist() == [4, 5, 6, 7, 8, 9]
    calls.clear()
    path = write_edges(store, whole)
    assert calls == [4, 5, 6, 7, 8, 9]
    assert path.read_bytes() == expected


def test_made_maps_are_not_made_again_and_the_last_asked_for_are_used():
    store, calls = build(), []
    inverted = EdgeSource("canny", {"low": 1}, lambda rows: 255 - green(store).make(rows))
    write_edges(store, green(store, calls))
    write_edges(store, inverted)
    assert Store.open("s").edges.method == "canny"
    calls.clear()
    write_edges(store, green(store, calls))
    assert calls == []
    again = Store.open("s")
    assert again.edges.method == "gb"
    assert np.array_equal(again.read_edges([5]), again.read("photo", [5])[..., 1:2])
    assert len(list(store.folder.glob("edges-*.h5"))) == 2


def test_parameters_have_files_of_their_own():
    store = build()
    names = {green(store, chroma=value).name for value in (1.0, 1.9)}
    assert len(names) == 2
    assert all(name.startswith("gb-") and len(name) == 11 for name in names)


def test_maps_of_a_store_made_anew_are_gone():
    store = build()
    old = write_edges(store, green(store))
    store = build(count=5)
    assert store.edges is None
    with pytest.raises(MissingError, match="no edge maps") as refused:
        store.read_edges([0])
    assert "--edges gb" in refused.value.hint
    left = store.folder / ".edges-gb-0.h5.killed"
    left.touch()
    write_edges(store, green(store, chroma=3))
    assert not old.exists()
    assert not left.exists()


def test_an_exchanged_file_is_noticed():
    store = build()
    path = write_edges(store, green(store))
    path.write_bytes(b"nothing")
    with pytest.raises(CorruptError, match=path.name):
        Store.open("s").read_edges([0])


def test_a_full_disk_is_said_before_the_work(monkeypatch):
    store, calls = build(), []
    full = type("usage", (), {"free": 100})
    monkeypatch.setattr(store_edges.shutil, "disk_usage", lambda path: full)
    with pytest.raises(SbirctlError, match="need"):
        write_edges(store, green(store, calls))
    assert calls == []


@pytest.fixture
def drawn(tmp_path):
    """A store and a folder with a map of each photo, of one grey that tells its name."""
    store = build()
    (tmp_path / "maps").mkdir()
    for number in range(10):
        grey = np.full((16, 16), 200 + number, dtype=np.uint8)
        Image.fromarray(grey).save(tmp_path / "maps" / f"{number}.png")
    return store, tmp_path / "maps"


def test_maps_made_elsewhere_are_found_by_name(drawn):
    store, folder = drawn
    made = edge_folder_source(store, folder)
    write_edges(store, made)
    store = Store.open("s")
    for index in store.items.where("photo").tolist():
        value = 200 + int(store.items.path[index])
        assert (store.read_edges([store.items.row[index]]) == value).all()
    assert store.edges.method == "folder"
    assert json.loads((store.folder / "edges.json").read_text())["current"] == made.name
    Image.fromarray(np.zeros((16, 16), dtype=np.uint8)).save(folder / "3.png")
    assert edge_folder_source(store, folder).name != made.name


def test_light_maps_on_dark_are_warned_of(drawn):
    store, folder = drawn
    warnings = []
    report = type("Said", (Reporter,), {"warn": lambda self, text: warnings.append(text)})()
    edge_folder_source(store, folder, report)
    assert warnings == []
    for path in folder.iterdir():
        Image.fromarray(np.full((16, 16), 9, dtype=np.uint8)).save(path)
    edge_folder_source(store, folder, report)
    assert "light on dark" in warnings[0]


def test_a_missing_or_doubled_map_is_named(drawn):
    store, folder = drawn
    (folder / "3.png").rename(folder / "x3.png")
    with pytest.raises(MissingError, match="1 of 10 photos have no edge map"):
        edge_folder_source(store, folder)
    (folder / "x3.png").rename(folder / "3.jpg")
    (folder / "3.png").write_bytes(b"")
    with pytest.raises(MismatchError, match="maps of one photo"):
        edge_folder_source(store, folder)
    with pytest.raises(MissingError, match="no folder"):
        edge_folder_source(store, folder / "nowhere")
