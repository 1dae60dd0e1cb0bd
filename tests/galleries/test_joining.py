"""Several galleries searched as one."""

import numpy as np
import pytest
from small_gallery import Cells, make, photo, picture

from sbirctl.cli._app import run
from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.galleries.engines.exact import Exact
from sbirctl.galleries.gallery import Gallery
from sbirctl.galleries.joining import join
from sbirctl.galleries.searcher import Searcher


def opened(place, model=None):
    gallery = Gallery.open(place)
    engine = Exact.open(gallery)
    return Searcher(gallery.info, model or Cells(), engine, gallery.files, gallery.changed)


@pytest.fixture
def folders(tmp_path):
    """Ten photos and eight others, of which one lies in both."""
    for seed in range(10):
        photo(tmp_path / "a" / f"{seed}.png", seed)
    for seed in range(9, 18):
        photo(tmp_path / "b" / f"{seed}.png", seed)
    return tmp_path


@pytest.fixture
def both(folders):
    return [make_and_open(folders, name) for name in "ab"]


def make_and_open(folders, name, model=None):
    make(folders / f"gallery-{name}", [folders / name], model)
    return opened(folders / f"gallery-{name}", model)


@pytest.mark.parametrize("k", [1, 5, 100])
def test_what_is_found_is_what_one_gallery_of_all_finds(both, folders, k):
    make(folders / "all", [folders / "a", folders / "b"])
    all_of_it = opened(folders / "all")
    joined = join(both)
    vectors = np.stack([all_of_it.embed(picture(seed), "photo") for seed in (0, 9, 30)])
    for found, expected in zip(
        joined.search_all(vectors, k), all_of_it.search_all(vectors, k), strict=True
    ):
        assert [hit.id for hit in found] == [hit.id for hit in expected]
        assert [hit.path for hit in found] == [hit.path for hit in expected]
        assert np.allclose([hit.score for hit in found], [hit.score for hit in expected])


def test_a_photo_of_both_has_its_files_of_both(both, folders):
    joined = join(both)
    hit = joined.search(joined.embed(picture(9), "photo"), 1)[0]
    assert [file.path for file in joined.files(hit.id)] == [
        bytes(folders / "a" / "9.png"),
        bytes(folders / "b" / "9.png"),
    ]
    (folders / "a" / "9.png").unlink()
    assert joined.photo(hit.id) == folders / "b" / "9.png"
    (folders / "b" / "9.png").unlink()
    with pytest.raises(MissingError) as raised:
        joined.photo(hit.id)
    assert "for each of the galleries" in raised.value.hint


def test_more_like_a_photo_of_the_second_gallery(both):
    joined = join(both)
    other = both[1].search(joined.embed(picture(15), "photo"), 1)[0]
    assert joined.search(joined.vector(other.id), 1)[0].id == other.id
    with pytest.raises(MissingError):
        joined.vector("0" * 64)


def test_it_is_stale_when_one_of_them_is(both, folders):
    joined = join(both)
    assert not joined.stale()
    photo(folders / "b" / "new.png", 40)
    make(folders / "gallery-b", [folders / "b"])
    assert joined.stale()


def test_galleries_of_two_models_are_refused_by_name(both, folders):
    photo(folders / "c" / "x.png", 50)
    other = make_and_open(folders, "c", Cells(key="1" * 16))
    with pytest.raises(MismatchError, match=r"gallery-a \(cells\) and gallery-c \(cells\)"):
        join([both[0], other])


def test_the_command_takes_the_option_again(folders, monkeypatch, capfd):
    monkeypatch.setenv("SBIRCTL_HOME", str(folders / "home"))
    for name in "ab":
        assert run(["index", str(folders / name)]) == 0
    picture(3).save(folders / "drawing.png")
    capfd.readouterr()
    assert run(["search", str(folders / "drawing.png"), "-g", "a", "--gallery", "b"]) == 0
    found = capfd.readouterr().out.split()
    assert len(found) == len(set(found)) == 18
    assert {path.split("/")[-2] for path in found} == {"a", "b"}
