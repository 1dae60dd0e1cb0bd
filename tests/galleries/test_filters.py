"""Only some of the photos: by folder, by the day in their EXIF data, by score."""

import os
from datetime import date

import numpy as np
import pytest
from PIL import Image
from small_gallery import Cells, make, picture

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.galleries.engines.exact import Exact
from sbirctl.galleries.filters import Filter, day_taken, make_filter
from sbirctl.galleries.gallery import Gallery
from sbirctl.galleries.searcher import Searcher
from sbirctl.pipeline.drawings import read_drawings

DAYS = {"a/0": "2021:12:31", "a/1": "2022:01:01", "b/2": "2022:06:15", "b/3": "2023:02:01"}


@pytest.fixture
def photos(tmp_path):
    for number in range(40):
        name = f"{'ab'[number % 2]}/other{number}"
        _write(tmp_path / f"{name}.jpg", 100 + number)
    for number, (name, day) in enumerate(DAYS.items()):
        _write(tmp_path / f"{name}.jpg", number, day)
    return tmp_path


def _write(path, seed, day=""):
    path.parent.mkdir(exist_ok=True)
    exif = Image.Exif()
    if day:
        exif.get_ifd(0x8769)[0x9003] = f"{day} 12:00:00"
    picture(seed).save(path, exif=exif)


@pytest.fixture
def searcher(photos):
    make(photos / "gallery", [photos / "a", photos / "b"])
    gallery = Gallery.open(photos / "gallery")
    engine = Exact.open(gallery)
    return Searcher(gallery.info, Cells(), engine, gallery.files, gallery.changed)


def found(searcher, wanted, k=3, seed=2):
    vector = searcher.embed(picture(seed), "photo")
    (hits,) = searcher.search_all(vector[None], k, wanted)
    return [os.path.relpath(hit.path, os.path.dirname(os.path.dirname(hit.path))) for hit in hits]


def brute(searcher, keep, k, seed=2):
    """The first k of everything that are wanted."""
    vector = searcher.embed(picture(seed), "photo")
    everything = searcher.search(vector, 1000)
    return [hit for hit in everything if keep(hit)][:k]


def test_photos_of_a_folder_are_the_first_of_all_in_it(searcher, photos):
    wanted = make_filter([photos / "b"])
    vector = searcher.embed(picture(1), "photo")
    hits = searcher.search_all(vector[None], 5, wanted)[0]
    assert hits == brute(searcher, lambda hit: "/b/" in hit.path, 5, seed=1)
    assert len(searcher.search_all(vector[None], 100, wanted)[0]) == 22
    assert searcher.search_all(vector[None], 5, make_filter([photos / "nowhere"])) == [[]]


@pytest.mark.parametrize(
    ("since", "until", "names"),
    [
        ("2022", "2022", {"1", "2"}),
        ("2022-02", "", {"2", "3"}),
        ("", "2021", {"0"}),
        ("2022-01-01", "2022-01-01", {"1"}),
        ("", "2022-06", {"0", "1", "2"}),
        ("2024", "", set()),
    ],
)
def test_days_are_whole_and_photos_without_one_are_counted(searcher, since, until, names):
    wanted = make_filter([], since, until)
    assert {os.path.basename(p)[:-4] for p in found(searcher, wanted, k=9)} == names
    assert len(wanted.undated) == 40


def test_the_day_of_a_file(photos):
    gallery = photos / "gallery"
    make(gallery, [photos / "a"])
    days = {
        os.path.basename(record.file.path): day_taken(record.file)
        for record in Gallery.open(gallery).records()
    }
    assert days[b"0.jpg"] == date(2021, 12, 31)
    assert days[b"other0.jpg"] is None


@pytest.mark.parametrize("text", ["x", "2022-13", "2022-02-30", "22", "2022-1-1", "2022-01-01x"])
def test_what_is_no_day_is_refused(text):
    with pytest.raises(UsageError, match="no day"):
        make_filter([], text)


def test_nothing_below_the_least_score_is_found(searcher):
    vector = searcher.embed(picture(2), "photo")
    scores = [hit.score for hit in searcher.search(vector, 50)]
    least = float(np.median(scores))
    hits = searcher.search_all(vector[None], 50, Filter(least=least))[0]
    assert [hit.score for hit in hits] == [score for score in scores if score >= least]
    assert searcher.search_all(vector[None], 50, Filter(least=1.1)) == [[]]


def test_drawings_of_a_folder_are_many(tmp_path):
    for name in ("b.png", "a.SVG", "notes.txt", "c.ndjson"):
        (tmp_path / name).write_text(name)
    names = [drawing.name.rpartition("/")[2] for drawing in read_drawings(tmp_path)]
    assert names == ["a.SVG", "b.png", "c.ndjson"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="no drawing"):
        read_drawings(tmp_path / "empty")
