"""Folders to galleries: what joins, stays and leaves, and that nothing found is fatal."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_gallery import (
    Cells,
    content,
    encoded,
    files_of,
    held,
    left_out,
    make,
    photo,
    picture,
)

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.files import digest_bytes, digest_file
from sbirctl.core.progress import Reporter
from sbirctl.datasets.readers.tree import ReadFolder
from sbirctl.galleries import indexing
from sbirctl.galleries.engines import engine_class
from sbirctl.galleries.gallery import Gallery
from sbirctl.store.images import load_image


def names(place):
    return sorted(
        os.path.basename(e.file.path) for e in Gallery.open(place).records() if not e.kind
    )


def test_every_photo_has_the_vector_of_the_model(tmp_path):
    paths = [photo(tmp_path / "a" / f"{seed}.png", seed) for seed in range(7)]
    outcome = make(tmp_path / "g", [tmp_path / "a"])
    vectors = held(tmp_path / "g")
    assert (outcome.info.photos, outcome.embedded, outcome.left) == (7, 7, ())
    for path in paths:
        pixels = load_image(path.read_bytes(), "photo", 8)[None]
        expected = Cells().embed(pixels, "photo")[0]
        assert np.allclose(vectors[digest_file(path)], expected, atol=1e-3)


def test_renamed_photos_are_not_embedded_again_deleted_ones_leave_new_ones_join(tmp_path):
    folder, place = tmp_path / "a", tmp_path / "g"
    for seed in range(5):
        photo(folder / f"{seed}.png", seed)
    make(place, [folder])
    before = held(place)
    (folder / "deep").mkdir()
    (folder / "0.png").rename(folder / "deep" / "renamed.png")
    (folder / "1.png").unlink()
    photo(folder / "new.png", 9)
    model = Cells()
    outcome = make(place, [folder], model)
    assert model.seen == outcome.embedded == 1
    assert names(place) == [b"2.png", b"3.png", b"4.png", b"new.png", b"renamed.png"]
    after = held(place)
    gone = digest_bytes(encoded(picture(1)))
    assert set(before) - set(after) == {gone}
    assert all(np.array_equal(after[name], before[name]) for name in before if name != gone)


def test_nothing_changed_writes_the_same_files_and_reads_no_photo(tmp_path, monkeypatch):
    folder, place = tmp_path / "a", tmp_path / "g"
    for seed in range(3):
        photo(folder / f"{seed}.png", seed)
    make(place, [folder])
    before = files_of(place)
    monkeypatch.setattr(indexing.PhotoReader, "__call__", lambda *a: pytest.fail("read"))
    make(place, [folder])
    assert files_of(place) == before


def test_copies_are_one_photo_and_are_listed(tmp_path):
    photo(tmp_path / "a" / "one.png", 1)
    photo(tmp_path / "a" / "two.png", 1)
    model = Cells()
    outcome = make(tmp_path / "g", [tmp_path / "a"], model)
    assert (outcome.info.photos, model.seen) == (1, 1)
    assert left_out(tmp_path / "g") == {"two.png": "copy of another photo"}


def test_everything_odd_is_counted_and_listed_and_nothing_is_fatal(tmp_path):
    folder = tmp_path / "a"
    photo(folder / "good.png", 1)
    photo(folder / ".hidden.png", 2)
    photo(folder / ".git" / "inside.png", 3)
    whole = encoded(picture(4, side=30), "JPEG")
    (folder / "broken.jpg").write_bytes(whole[:-30])
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("no photo")
    (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftyp")
    (folder / "huge.png").write_bytes(encoded(picture(5, side=40)))
    os.mkfifo(folder / "pipe.png")
    (folder / "nowhere.png").symlink_to(tmp_path / "missing")
    (folder / "round").symlink_to(folder)
    outcome = make(tmp_path / "g", [folder], max_pixels=1000)
    assert names(tmp_path / "g") == [b"good.png"]
    reasons = left_out(tmp_path / "g")
    assert len(reasons) == len(outcome.left) == 10
    kinds = {os.fsdecode(os.path.basename(one.path)): one.kind for one in outcome.left}
    assert kinds["huge.png"] == "too large"
    assert (kinds["broken.jpg"], kinds["empty.png"], kinds[".git"]) == ("broken", "empty", "hidden")
    assert reasons["broken.jpg"].startswith("it cannot be decoded")
    assert reasons["huge.png"].startswith("it has 40 × 40 pixels")
    del reasons["broken.jpg"], reasons["huge.png"]
    assert reasons == {
        ".hidden.png": "hidden",
        ".git": "hidden",
        "empty.png": "the file is empty",
        "notes.txt": "no image",
        "film.mp4": "no image",
        "pipe.png": "no regular file",
        "nowhere.png": "No such file or directory",
        "round": "link to a folder",
    }


def test_what_was_broken_is_looked_at_again(tmp_path):
    folder, place = tmp_path / "a", tmp_path / "g"
    photo(folder / "good.png", 1)
    (folder / "huge.png").write_bytes(encoded(picture(5, side=40)))
    assert make(place, [folder], max_pixels=1000).info.photos == 1
    before = files_of(place)
    assert make(place, [folder], max_pixels=1000).info.photos == 1
    assert files_of(place).keys() == before.keys()
    assert make(place, [folder]).info.photos == 2


def test_names_of_any_bytes(tmp_path):
    folder = tmp_path / "a"
    odd = [b"\xff\xfe.png", b"line\nbreak.png", "größer 写真.png".encode(), b"tab\t%41.png"]
    folder.mkdir()
    for seed, name in enumerate(odd):
        with open(os.path.join(bytes(folder), name), "wb") as stream:
            stream.write(encoded(picture(seed)))
    make(tmp_path / "g", [folder])
    assert names(tmp_path / "g") == sorted(odd)


def test_a_folder_that_cannot_be_read_keeps_its_photos(tmp_path, monkeypatch):
    folder, place = tmp_path / "a", tmp_path / "g"
    photo(folder / "one.png", 1)
    photo(folder / "disk" / "two.png", 2)
    make(place, [folder])
    scan = os.scandir

    def refuse(path):
        if os.fsencode(path).endswith(b"disk"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("sbirctl.galleries.walk.os.scandir", refuse)
    make(place, [folder])
    assert names(place) == [b"one.png", b"two.png"]
    assert left_out(place) == {"disk": "folder that cannot be read"}


def test_several_folders_one_inside_another(tmp_path):
    photo(tmp_path / "a" / "one.png", 1)
    photo(tmp_path / "a" / "in" / "two.png", 2)
    photo(tmp_path / "b" / "three.png", 3)
    folders = [tmp_path / "a" / "in", tmp_path / "b", tmp_path / "a"]
    make(tmp_path / "g", folders)
    assert names(tmp_path / "g") == [b"one.png", b"three.png", b"two.png"]


def test_a_hidden_or_linked_folder_that_is_named_is_walked_inside_another_too(tmp_path):
    photo(tmp_path / "a" / "one.png", 1)
    photo(tmp_path / "a" / ".hidden" / "two.png", 2)
    photo(tmp_path / "elsewhere" / "three.png", 3)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "elsewhere")
    folders = [tmp_path / "a", tmp_path / "a" / ".hidden", tmp_path / "a" / "link"]
    make(tmp_path / "g", folders)
    assert names(tmp_path / "g") == [b"one.png", b"three.png", b"two.png"]
    assert left_out(tmp_path / "g") == {}


def test_another_model_embeds_everything_again_and_leaves_nothing_of_the_first(tmp_path):
    folder, place = tmp_path / "a", tmp_path / "g"
    for seed in range(3):
        photo(folder / f"{seed}.png", seed)
    make(place, [folder])
    assert make(place, [folder], Cells("1" * 16)).embedded == 3
    make(tmp_path / "h", [folder], Cells("1" * 16))
    one, other = content(place), content(tmp_path / "h")
    assert one[:4] == other[:4]
    assert len(list(place.glob("vectors-*"))) == 1


@pytest.mark.parametrize("left", [0, 17, 2 * 64])
def test_photos_whose_vectors_are_lost_are_embedded_again(tmp_path, left):
    folder, place = tmp_path / "a", tmp_path / "g"
    for seed in range(3):
        photo(folder / f"{seed}.png", seed)
    make(place, [folder])
    before = content(place)
    path = place / "vectors-1.f32"
    if left:
        path.write_bytes(path.read_bytes()[:left])
    else:
        path.unlink()
    with pytest.raises(CorruptError, match="vectors"):
        Gallery.open(place)
    said = []

    class Listener(Reporter):
        def warn(self, message):
            said.append(message)

    assert make(place, [folder], report=Listener()).embedded == 3 - left // 64
    assert "damaged" in said[0]
    assert content(place) == before


@pytest.mark.parametrize("how", ["cut", "gone", "others"])
def test_a_damaged_engine_is_made_again(tmp_path, how):
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    folder, place = tmp_path / "a", tmp_path / "g"
    for seed in range(3):
        photo(folder / f"{seed}.png", seed)
    make(place, [folder], engine="faiss:flat")
    before = files_of(place)
    engine = Gallery.open(place).engine_folder
    if how == "cut":
        index = engine / "index.faiss"
        index.write_bytes(index.read_bytes()[:-8])
    elif how == "gone":
        shutil.rmtree(engine)
    else:
        np.save(engine / "ids.npy", np.array([b"%064d" % number for number in range(3)]))
    model = Cells()
    make(place, [folder], model, engine="faiss:flat")
    assert model.seen == 0
    if how != "others":
        assert files_of(place) == before
    found = engine_class("faiss:flat").load(engine, "faiss:flat", 16)
    assert {name.decode() for name in found.ids().tolist()} == held(place).keys()


def test_of_films_among_the_photos_only_the_first_bytes_are_read(tmp_path, monkeypatch):
    photo(tmp_path / "a" / "one.png", 1)
    (tmp_path / "a" / "film.mp4").write_bytes(b"\0\0\0\x18ftyp" + bytes(100_000))
    read, sizes = ReadFolder.__call__, {}

    def counting(self, path):
        data = read(self, path)
        sizes[path] = len(data)
        return data

    monkeypatch.setattr(ReadFolder, "__call__", counting)
    assert make(tmp_path / "g", [tmp_path / "a"]).info.photos == 1
    assert sizes[b"film.mp4"] == 16
    assert sizes[b"one.png"] == (tmp_path / "a" / "one.png").stat().st_size


def test_a_gallery_all_of_whose_photos_went_stays_as_it_was(tmp_path):
    path = photo(tmp_path / "a" / "one.png", 1)
    make(tmp_path / "g", [tmp_path / "a"])
    before = files_of(tmp_path / "g")
    path.unlink()
    with pytest.raises(MissingError, match="no photo") as raised:
        make(tmp_path / "g", [tmp_path / "a"])
    assert "stays" in raised.value.hint
    assert files_of(tmp_path / "g") == before


def test_a_folder_without_photos(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(MissingError, match="no photo"):
        make(tmp_path / "g", [tmp_path / "a"])


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["write", "delete", "rename", "break"]),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    max_size=8,
)


@settings(max_examples=15)
@given(st.lists(OPERATIONS, min_size=1, max_size=3))
def test_a_gallery_that_grew_holds_what_one_made_at_once_holds(tmp_path_factory, rounds):
    root = tmp_path_factory.mktemp("grown")
    folder, place = root / "a", root / "g"
    photo(folder / "always.png", 99)
    stamp = 10**18
    for operations in rounds:
        for what, one, other in operations:
            path, target = folder / f"{one}.png", folder / f"{other}.png"
            if what == "write":
                photo(path, other)
            elif what == "break":
                path.write_bytes(b"\x89PNG\r\n")
            elif path.exists():
                path.rename(target) if what == "rename" else path.unlink()
            stamp += 1
            for changed in (path, target):
                if what in ("write", "break") and changed == path:
                    os.utime(changed, ns=(stamp, stamp))
        grown = make(place, [folder])
    fresh = make(root / "h", [folder])
    assert grown.left == fresh.left
    assert Gallery.open(place).records() == Gallery.open(root / "h").records()
    one, other = held(place), held(root / "h")
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
