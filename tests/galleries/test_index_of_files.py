"""Photos that are named themselves, beside folders or alone."""

import os

from small_gallery import left_out, make, photo

from sbirctl.galleries.filters import make_filter
from sbirctl.galleries.gallery import Gallery
from sbirctl.pipeline.index import index


def names(place):
    return [os.path.basename(record.file.path) for record in Gallery.open(place).records()]


def test_files_and_folders_are_taken_together_each_file_once(tmp_path):
    for number in range(4):
        photo(tmp_path / "a" / f"{number}.png", number)
    photo(tmp_path / "b" / ".hidden.png", 9)  # named: taken, whatever it is called
    (tmp_path / "notes.txt").write_text("no photo")
    asked = [tmp_path / "a" / "1.png", tmp_path / "b" / ".hidden.png", tmp_path / "notes.txt"]
    place = tmp_path / "g"
    outcome = make(place, asked)
    assert names(place) == [b"1.png", b".hidden.png"]
    assert left_out(place) == {"notes.txt": "no image"}
    grown = make(place, [*asked, tmp_path / "a"])
    assert names(place) == [b"0.png", b"1.png", b"2.png", b"3.png", b".hidden.png"]
    assert (outcome.embedded, grown.embedded) == (2, 3)


def test_a_named_file_is_found_by_its_folder(tmp_path):
    photo(tmp_path / "a" / "b" / "1.png", 1)
    photo(tmp_path / "c" / "d" / "2.png", 2)
    make(tmp_path / "g", [tmp_path / "a" / "b" / "1.png", tmp_path / "c"])
    gallery = Gallery.open(tmp_path / "g")
    below = [bytes(tmp_path / name) for name in ("a/b", "c", "c/d")]
    assert list(gallery.sub_folders()) == below
    wanted = make_filter([tmp_path / "a"], "", "", None)
    assert len(gallery.ids_below(wanted.folders)) == 1


def test_a_deleted_file_leaves_and_one_on_a_missing_disk_stays(tmp_path):
    kept = photo(tmp_path / "a" / "1.png", 1)
    gone = photo(tmp_path / "a" / "2.png", 2)
    away = photo(tmp_path / "disk" / "3.png", 3)
    place = tmp_path / "g"
    make(place, [kept, gone, away])
    gone.unlink()
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    make(place, [kept, gone, away])
    assert names(place) == [b"1.png", b"3.png"]
    assert set(left_out(place)) == {"2.png", "3.png"}
    assert left_out(place)["2.png"] == "photo that is not there any more"


def test_a_gallery_of_files_is_called_like_their_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    for number in range(2):
        photo(tmp_path / "holiday" / f"{number}.png", number)
    files = sorted((tmp_path / "holiday").iterdir())
    outcome = index(files)
    assert (outcome.info.name, outcome.info.photos) == ("holiday", 2)
    assert index([], forget=files[:1]).info.photos == 1
