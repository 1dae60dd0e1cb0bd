import json

import h5py
import pytest
from pictures import item, source

from sbirctl.core.errors import CorruptError
from sbirctl.store.reader import Store
from sbirctl.store.verify import verify
from sbirctl.store.writer import StoreSettings, build_store


@pytest.fixture
def folder():
    twin = item("photo", "c2", b"0", id="twin")
    return build_store("s", source(extra=(twin,)), StoreSettings(size=16), workers=1)


def edit(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_whole_store(folder):
    verify(Store.open(folder))


@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_one_changed_pixel(folder, modality):
    with h5py.File(folder / "images.h5", "r+") as file:
        file[modality][5, 3, 3, 0] ^= 1
    with pytest.raises(CorruptError, match=f"pixels of {modality}/c"):
        verify(Store.open(folder))


@pytest.mark.parametrize("name", ["photo", "photo_crc32"])
@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((3,), "u1"),
        ((), "u1"),
        ((11, 16, 16, 1), "u1"),
        ((5, 16, 16, 3), "u1"),
        ((11, 16, 16, 3), "u1"),
        ((10,), "u8"),
    ],
)
def test_an_array_of_another_shape_or_type(folder, name, shape, kind):
    with h5py.File(folder / "images.h5", "r+") as file:
        del file[name]
        file.create_dataset(name, shape, kind)
    with pytest.raises(CorruptError, match="cannot be read"):
        verify(Store.open(folder))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["items"]["label"].__setitem__(0, 1),
        lambda m: m["items"]["digest"].__setitem__(3, "0" * 64),
        lambda m: m["settings"].__setitem__("max_pixels", 7),
        lambda m: m["counts"][""].__setitem__("photos", 12),
    ],
)
def test_a_changed_manifest(folder, change):
    edit(folder, change)
    with pytest.raises(CorruptError):
        verify(Store.open(folder))
