import errno
import os
import signal
import sys
import tempfile

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import draw, encoded, files_of, item, noise, source

from sbirctl.core import files as core_files
from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError
from sbirctl.store import pixels, shards, writer
from sbirctl.store.images import load_image
from sbirctl.store.pixels import PixelFile
from sbirctl.store.raw import RawDataset, RawItem
from sbirctl.store.reader import Store, store_folder
from sbirctl.store.verify import verify
from sbirctl.store.writer import StoreSettings, build_store, store_lock

SMALL = StoreSettings(size=16)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_IMAGES", 4)


def build(made=None, name="s", values=SMALL, workers=1):
    return build_store(name, made or source(), values, workers=workers)


def check_pixels(name="s", size=16):
    """Every entry's row holds the pixels of its own file, or of the one it repeats.

    And h5py alone finds them, one row a picture.
    """
    store = Store.open(name)
    items = store.items
    with h5py.File(store.folder / "images.h5") as file:
        assert set(file) == {"photo", "sketch", "photo_crc32", "sketch_crc32"}
        for number, modality in enumerate(("photo", "sketch")):
            first = (items.modality == number) & (items.copy_of < 0)
            assert sorted(items.row[first]) == [*range(len(file[modality]))]
            assert np.array_equal(file[modality][:], store.read(modality, range(first.sum())))
    for index in range(len(items)):
        first = index if items.copy_of[index] < 0 else items.copy_of[index]
        modality = ("photo", "sketch")[items.modality[index]]
        data = encoded(noise(int(items.path[first])))
        expected = load_image(data, modality, size)
        assert np.array_equal(store.read(modality, [items.row[index]])[0], expected)
    verify(store)


def test_every_picture_is_the_one_load_image_gives():
    build()
    store = Store.open("s")
    assert (store.rows("photo"), store.rows("sketch")) == (10, 10)
    assert store.items.row.tolist() == [*range(10), *range(10)]
    check_pixels()


def test_items_are_sorted_and_counted():
    build()
    store = Store.open("s")
    keys = [
        (m, c, p)
        for m, c, p in zip(
            store.items.modality.tolist(), store.items.label.tolist(), store.items.path, strict=True
        )
    ]
    assert keys == sorted(keys)
    assert store.manifest["counts"][""] == {"photos": 10, "sketches": 10}
    assert store.manifest["counts"]["c0"] == {"photos": 4, "sketches": 4}


@pytest.mark.parametrize("extra", [(), (item("photo", "c0", b"5", id="twin"),)])
def test_bytes_do_not_depend_on_workers_order_or_repetition(extra):
    made = source(extra=extra)
    expected = files_of(build(made, name="a"))
    turned = RawDataset("drawn", made.items[::-1], draw, "v1")
    manifest = expected["manifest.json"].replace(b'"name": "a"', b'"name": "b"')
    found = files_of(build(turned, name="b", workers=2))
    assert found["images.h5"] == expected["images.h5"]
    assert found["manifest.json"] == manifest
    assert set(found) == {"images.h5", "manifest.json"}
    assert files_of(build(made, name="a")) == expected


def test_equal_bytes_are_kept_once():
    same = (item("photo", "c2", b"0", id="twin"), item("sketch", "c0", b"0", id="drawn"))
    build(source(extra=same))
    store = Store.open("s")
    items = store.items
    first, twin, drawn = (items.id.index(i) for i in ("photo/c0/0", "twin", "drawn"))
    assert items.copy_of[twin] == first
    assert items.row[twin] == items.row[first]
    assert items.copy_of[drawn] == -1  # a sketch has pixels of its own
    assert store.rows("photo") == 10
    assert store.rows("sketch") == 11
    assert items.group[twin] == items.group[first] == items.group[drawn]
    assert store.manifest["counts"]["c2"]["copies"] == 1


def test_a_photo_and_a_sketch_in_rows_of_one_number_are_no_group():
    items = Store.open(build()).items
    assert len(np.unique(items.group)) == len(items)


def test_a_copy_by_name_takes_the_originals_pixels():
    original = item("photo", "c0", b"700", id="o", origin="original")
    copy = item("photo", "c0", b"1", id="a-copy", origin="extended", copy_of="o")
    made = RawDataset("drawn", (copy, original), draw, "v1", origins=("original", "extended"))
    store = Store.open(build(made))
    assert store.items.id == ("o", "a-copy")
    assert store.items.copy_of.tolist() == [-1, 0]
    assert store.items.row.tolist() == [0, 0]
    assert store.items.digest[0] != store.items.digest[1]
    expected = load_image(encoded(noise(700)), "photo", 16)
    assert np.array_equal(store.read("photo", [0])[0], expected)


def test_a_copy_of_a_copy_repeats_the_first():
    """Two files of one content, and one that the publisher says repeats the second of them."""
    items = (
        item("photo", "c0", b"1", id="a", origin="original"),
        item("photo", "c0", b"1", id="b", origin="original"),
        item("photo", "c0", b"2", id="c", origin="extended", copy_of="b"),
    )
    store = Store.open(
        build(RawDataset("drawn", items, draw, "v1", origins=("original", "extended")))
    )
    assert store.items.id == ("a", "b", "c")
    assert store.items.copy_of.tolist() == [-1, 0, 0]
    assert store.items.row.tolist() == [0, 0, 0]
    verify(store)


def test_a_copy_whose_original_is_broken_stands_for_itself():
    original = item("photo", "c0", b"empty", id="o", origin="original")
    copies = tuple(
        item("photo", "c0", b"1", id=name, origin="extended", copy_of="o") for name in ("p", "q")
    )
    made = RawDataset("drawn", (*copies, original), draw, "v1", origins=("original", "extended"))
    store = Store.open(build(made))
    assert store.items.id == ("p", "q")
    assert store.items.copy_of.tolist() == [-1, 0]
    assert store.rows("photo") == 1


def test_broken_files_are_left_out_with_their_reason():
    broken = (item("photo", "c1", b"empty"), item("sketch", "c2", b"missing"))
    store = Store.open(build(source(extra=broken)))
    assert len(store.items) == 20
    assert store.manifest["skipped"] == [
        {"path": "empty", "modality": "photo", "class": "c1", "reason": "the file is empty"},
        {
            "path": "missing",
            "modality": "sketch",
            "class": "c2",
            "reason": "No such file or directory",
        },
    ]
    verify(store)


def test_blank_sketches_and_drawings_not_drawn_whole_are_counted():
    odd = [item("sketch", "c1", name) for name in (b"blank1", b"partly1", b"blank2")]
    plain_photo = item("photo", "c1", b"blank3")  # which a photo may be
    store = Store.open(build(source(extra=(*odd, plain_photo))))
    assert len(store.items) == 24
    assert store.manifest["remarks"] == {
        "nothing is drawn on it": {"count": 2, "first": "blank1"},
        "it is not drawn whole (text, pictures or other parts of the SVG)": {
            "count": 1,
            "first": "partly1",
        },
    }
    verify(store)


def test_a_copy_takes_the_place_of_its_broken_original():
    """Its pixels are written at the end, and what repeats the same original repeats it."""
    broken = item("photo", "c0", b"empty", id="o", origin="original")
    copies = tuple(
        item("photo", "c0", path, id=name, origin="extended", copy_of="o")
        for name, path in (("p", b"11"), ("q", b"12"))
    )
    more = tuple(item("photo", "c1", b"%d" % n, origin="original") for n in range(20, 60))
    made = RawDataset(
        "drawn", (*more, *copies, broken), draw, "v1", origins=("original", "extended")
    )
    store = Store.open(build(made))
    assert store.items.id[:2] == ("p", "q")
    assert store.items.copy_of[:3].tolist() == [-1, 0, -1]
    assert store.rows("photo") == 41
    check_pixels()


def test_a_copy_that_changes_before_it_is_written_is_an_error(tmp_path):
    path = tmp_path / "later"
    path.write_bytes(encoded(noise(3)))

    def read(item):
        if item.id == "p":
            data = path.read_bytes()
            path.write_bytes(encoded(noise(4)))
            return data
        return b""

    broken = item("photo", "c0", b"empty", id="o", origin="original")
    copy = item("photo", "c0", b"1", id="p", origin="extended", copy_of="o")
    made = RawDataset("drawn", (copy, broken), read, "v1", origins=("original", "extended"))
    with pytest.raises(SbirctlError, match="p has changed"):
        build(made)


@pytest.mark.parametrize("twins", [1, 30])
def test_files_that_give_no_picture_of_their_own_have_no_row(monkeypatch, twins):
    monkeypatch.setattr(pixels, "_COPY_BYTES", 1000)  # an image and a bit
    odd = (
        item("photo", "c0", b"missing"),
        item("photo", "c0", b"empty"),
        *(item("photo", "c9", b"5", id=f"twin {n}") for n in range(twins)),
        item("sketch", "a", b"1000", id="first of its kind"),
    )
    folder = build(source(60, extra=odd))
    store = Store.open("s")
    check_pixels()
    with h5py.File(folder / "images.h5") as file:
        assert len(file["photo"]) == len(file["photo_crc32"]) == store.rows("photo") == 60
        assert len(file["sketch"]) == store.rows("sketch") == 60
    first = store.items.copy_of < 0
    assert store.items.row[first].tolist() == [*range(60), *range(60)]  # in the items' order


@settings(max_examples=30)
@given(st.lists(st.sampled_from([b"1", b"2", b"3", b"empty", None]), min_size=1, max_size=40))
def test_whatever_repeats_or_fails_each_entry_has_its_pixels(paths):
    """None stands for a picture of its own."""
    items = tuple(
        item("photo", f"c{n % 2}", path or b"%d" % (100 + n), id=f"i{n}")
        for n, path in enumerate(paths)
    )
    if set(paths) == {b"empty"}:
        return
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patched:
        patched.setenv("SBIRCTL_HOME", home)
        build(RawDataset("drawn", items, draw, "v1"))
        check_pixels()
        assert Store.open("s").rows("photo") == len(
            {path or n for n, path in enumerate(paths) if path != b"empty"}
        )


def test_only_broken_files_make_no_store():
    with pytest.raises(CorruptError, match="None of the 2"):
        build(
            RawDataset(
                "drawn", (item("photo", "c", b"empty"), item("photo", "c", b"missing")), draw, ""
            )
        )
    with pytest.raises(MissingError):
        Store.open("s")


def test_only_sketches_can_be_stored():
    made = source()
    sketches = tuple(i for i in made.items if i.modality == "sketch")
    store = Store.open(build(RawDataset("drawn", sketches, draw, "v1")))
    assert store.rows("photo") == 0
    assert store.read("photo", []).shape == (0, 16, 16, 3)
    verify(store)


def in_a_child(action) -> int:
    """Run `action` in a forked process; gives how it ended, negative for a signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def dying(function, after: int, *, before_it: bool):
    """`function`, killing its process around its call of that number."""
    calls = iter(range(sys.maxsize))

    def wrapped(*args, **kwargs):
        now = next(calls) == after
        if now and before_it:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if now:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
class TestKilled:
    """Stopped at any write by a signal that nothing can catch, and continued."""

    # the pixel file, ten photos and ten sketches in six shards of four, images, the manifest
    WRITES = 9

    @pytest.fixture
    def expected(self, tmp_path, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setenv("SBIRCTL_HOME", str(tmp_path / "uninterrupted"))
            return files_of(build())

    def stop_and_continue(self, monkeypatch, owner, name, after, before_it, expected):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, dying(getattr(owner, name), after, before_it=before_it))
            assert in_a_child(build) == -signal.SIGKILL
        folder = build()
        assert files_of(folder) == expected
        verify(Store.open("s"))

    @pytest.mark.parametrize("before_it", [True, False], ids=["before", "after"])
    @pytest.mark.parametrize("after", range(WRITES))
    def test_at_a_rename(self, monkeypatch, expected, after, before_it):
        self.stop_and_continue(monkeypatch, core_files.os, "replace", after, before_it, expected)

    @pytest.mark.parametrize(
        ("owner", "name", "after"),
        [
            *((PixelFile, "write", after) for after in (0, 7, 19)),
            *((core_files.os, "fsync", after) for after in (0, 1, 2)),
            (writer, "store_digest", 0),
            (h5py.AttributeManager, "modify", 0),
            (PixelFile, "finish", 0),
        ],
    )
    def test_while_writing(self, monkeypatch, expected, owner, name, after):
        self.stop_and_continue(monkeypatch, owner, name, after, False, expected)

    @pytest.mark.parametrize("after", [0, 5, 13])
    def test_in_the_middle_of_a_shard(self, monkeypatch, expected, after):
        self.stop_and_continue(monkeypatch, shards, "load_bounded", after, False, expected)

    @pytest.mark.parametrize("after", range(2))
    def test_making_a_store_anew(self, monkeypatch, expected, after):
        """The old manifest never stands beside new images."""
        build(source(3))
        with monkeypatch.context() as patched:
            patched.setattr(core_files.os, "replace", dying(os.replace, 7 + after, before_it=False))
            assert in_a_child(build) == -signal.SIGKILL
        if after == 0:
            with pytest.raises(MissingError, match="not prepared to the end"):
                Store.open("s")
        else:
            verify(Store.open("s"))
        assert files_of(build()) == expected

    def test_half_finished(self, monkeypatch, expected):
        """Some of the values beside the pixels have reached the disk."""

        def half(self, checksums, digest):
            with h5py.File(self.path, "r+") as file:
                file.attrs.modify("digest", np.bytes_(digest))
                file["photo_crc32"][:5] = checksums["photo"][:5]
            os.kill(os.getpid(), signal.SIGKILL)

        with monkeypatch.context() as patched:
            patched.setattr(PixelFile, "finish", half)
            assert in_a_child(build) == -signal.SIGKILL
        assert files_of(build()) == expected

    @pytest.mark.parametrize(("after", "left"), [(3, 3), (6, 0), (7, 0)])
    def test_finished_shards_are_not_made_again(self, monkeypatch, expected, after, left):
        with monkeypatch.context() as patched:
            patched.setattr(core_files.os, "replace", dying(os.replace, after, before_it=False))
            in_a_child(build)
        made, decode = [], shards.decode_shard
        monkeypatch.setattr(shards, "decode_shard", lambda task: made.append(task) or decode(task))
        assert files_of(build()) == expected
        assert len(made) == left

    @pytest.mark.parametrize("left", [b"", b'{"digests": ["'])
    def test_a_record_that_did_not_reach_the_disk(self, monkeypatch, expected, left):
        """The system stopped before what was renamed was written."""
        first, *others = stopped_before_the_end(monkeypatch)
        assert len(others) == 5
        first.write_bytes(left)
        assert files_of(build()) == expected

    @pytest.mark.parametrize("lost", ["some", "all", "end", "file"])
    def test_pixels_that_did_not_reach_the_disk(self, monkeypatch, expected, lost):
        """The records have, and are not believed."""
        stopped_before_the_end(monkeypatch)
        path = store_folder("s") / writer.UNFINISHED / "images.h5"
        if lost == "file":
            path.unlink()
        elif lost == "end":
            os.truncate(path, path.stat().st_size - 900)
        else:
            with h5py.File(path, "r+") as file:
                file["photo"][3 : 4 if lost == "some" else None] = 0
        assert files_of(build()) == expected


def stopped_before_the_end(monkeypatch):
    """Stop when all pixels are written; gives the records."""
    with monkeypatch.context() as patched:
        patched.setattr(writer, "_finish", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build()
    return sorted((store_folder("s") / writer.UNFINISHED).glob("*.json"))


class TestKilledWhileCopying:
    """As above, for a source with bad files, copies and twins, whose kept rows are copied."""

    @staticmethod
    def odd():
        broken = item("photo", "c0", b"empty", id="o")
        copy = item("photo", "c1", b"77", id="p", copy_of="o")
        twins = tuple(item("photo", "c9", b"%d" % n, id=f"twin {n}") for n in range(3))
        return source(60, extra=(broken, copy, *twins))

    @pytest.mark.parametrize(
        ("owner", "name", "after"),
        [
            *((writer, "decode_shard", after) for after in range(1)),
            (PixelFile, "copy", 0),
            (PixelFile, "finish", 0),
            (writer, "store_digest", 0),
            *((core_files.os, "replace", after) for after in range(35)),
        ],
    )
    def test_it_is_done_again(self, tmp_path, monkeypatch, owner, name, after):
        with monkeypatch.context() as patched:
            patched.setenv("SBIRCTL_HOME", str(tmp_path / "uninterrupted"))
            expected = files_of(build(self.odd()))
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, dying(getattr(owner, name), after, before_it=False))
            assert in_a_child(lambda: build(self.odd())) == -signal.SIGKILL
        assert files_of(build(self.odd())) == expected
        check_pixels()


def drawn_by_stamp(item: RawItem) -> bytes:
    return encoded(noise(int(item.path) + item.stamp))


def test_a_file_that_changes_after_a_stop_has_its_own_pixels(monkeypatch):
    """Its slot holds the former picture, which another file repeats."""

    def made(stamp):
        first = RawItem("first", b"5", "photo", "a", stamp=stamp)
        others = (item("photo", "c", b"%d" % n) for n in range(100, 140))
        items = (first, item("photo", "b", b"5", id="twin"), *others)
        return RawDataset("drawn", items, drawn_by_stamp, "v1")

    expected = files_of(build(made(900), "t"))["images.h5"]
    with monkeypatch.context() as patched:
        patched.setattr(writer, "move_into_place", lambda *args: 1 / 0)
        patched.setattr(PixelFile, "copy", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build(made(0))
    assert files_of(build(made(900)))["images.h5"] == expected
    verify(Store.open("s"))


def test_a_full_disk_ends_the_work_with_advice_and_it_continues(monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(PixelFile, "write", full)
        with pytest.raises(SbirctlError, match="No space left") as caught:
            build()
    assert "continues" in caught.value.hint
    build()
    check_pixels()


def test_nothing_of_a_stopped_run_stays_in_the_slot_of_an_unreadable_file(monkeypatch):
    """The file could be read when an earlier run was stopped, and cannot now."""
    odd = source(60, extra=(item("photo", "c9", b"empty"),))
    expected = files_of(build(odd, name="a"))["images.h5"]
    with monkeypatch.context() as patched:
        patched.setattr(writer, "_finish", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build(odd)
    with h5py.File(store_folder("s") / writer.UNFINISHED / "images.h5", "r+") as file:
        assert len(file["photo"]) == 61
        file["photo"][60] = 0x77
    assert files_of(build(odd))["images.h5"] == expected


def test_shards_of_another_source_or_size_are_not_used(monkeypatch):
    assert len(stopped_before_the_end(monkeypatch)) == 6
    folder = build(values=StoreSettings(size=24))
    assert Store.open(folder).read("photo", [0]).shape == (1, 24, 24, 3)
    assert set(files_of(folder)) == {"images.h5", "manifest.json"}


def test_a_changed_file_is_read_again():
    def names(stamp):
        made = RawItem("a", b"1", "photo", "c", size=5, stamp=stamp)
        (shard,), _ = shards.plan_shards([made], {"size": 16, "max_pixels": 10**6}, "v1")
        return shard.name

    assert names(1) == names(1) != names(2)


@pytest.mark.parametrize("owner", [shards.PIL, h5py])
def test_shards_of_other_versions_are_not_used(monkeypatch, owner):
    """Another Pillow gives other pixels, another HDF5 puts them elsewhere in the file."""

    def name():
        (shard,), _ = shards.plan_shards([item("photo", "c", b"1")], {}, "v1")
        return shard.name

    before = name()
    monkeypatch.setattr(owner, "__version__", "0")
    assert name() != before


def test_hdf5_that_reads_other_pixels_than_were_written_is_an_error(monkeypatch):
    write = PixelFile.write

    def beside(self, stream, modality, row, pixels):
        write(self, stream, modality, row + 1, pixels)

    monkeypatch.setattr(PixelFile, "write", beside)
    with pytest.raises(CorruptError, match="Row 0 of photo"):
        build()
    with pytest.raises(MissingError, match="not prepared to the end"):
        Store.open("s")


def test_two_writers_do_not_disturb_each_other():
    folder = build()
    before = files_of(folder)
    with store_lock(folder), pytest.raises(SbirctlError, match="being prepared by another"):
        build(source(3))
    assert files_of(folder) == before


def test_too_little_space_is_said_before_the_work(monkeypatch):
    class Full:
        free = 1000

    monkeypatch.setattr(writer.shutil, "disk_usage", lambda folder: Full)
    with pytest.raises(SbirctlError, match=r"needs 15\d\.\d kB; 1\.0 kB are free"):
        build(values=StoreSettings(size=64))


def refuse(item):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_an_error_with_advice():
    with pytest.raises(SbirctlError, match="was killed") as caught:
        build(RawDataset("drawn", source().items, refuse, "v1"), workers=2)
    assert "--workers" in caught.value.hint


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "a\nb"])
def test_names_that_would_leave_the_folder_are_refused(name):
    with pytest.raises(UsageError):
        build(name=name)


@pytest.mark.parametrize("values", [{"size": 0}, {"size": 10**6}, {"max_pixels": 0}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(UsageError):
        StoreSettings(**values)
