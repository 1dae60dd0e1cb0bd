"""Thumbnails, layout and the painted files of a sheet."""

from dataclasses import replace

import numpy as np
import pictured
import pytest
from matplotlib.backend_bases import RendererBase
from PIL import Image

from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.report import sheet_layout
from sbirctl.report.sheet import build
from sbirctl.report.sheet_layout import FRAME, Page, Pictures, retrieval_pages
from sbirctl.report.sheet_paint import save_png
from sbirctl.report.sheet_pdf import paint, save_pdf
from sbirctl.report.sheet_samples import samples_page
from sbirctl.report.sheet_selection import Selection
from sbirctl.report.sheet_thumbnails import Album, store_of, thumbnail
from sbirctl.report.text_layout import ellipsize, font, wrapped


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(tmp_path_factory.mktemp("home")))
        yield pictured.prepare()


def pages_of(store, runs=("a",), k=3, rows=0, side=40):
    e = pictured.embeddings(store)
    sheet = build([e] * len(runs), runs, Selection(count=5), k, most=1000)
    album = Album(store, side)
    rows_of = range(12)
    photos = album.take("photo", rows_of, e.gallery_path, None)
    sketches = album.take("sketch", rows_of, e.query_path, None)
    pictures = Pictures(sketches, [photos] * len(runs))
    return sheet, list(retrieval_pages(sheet, pictures, side, most_rows=rows))


def test_a_row_shows_the_picture_its_path_names(store):
    e = pictured.embeddings(store)
    found = Album(store, 24).take("photo", [9, 2], e.gallery_path, None)
    entries = {store.items.path[i]: int(store.items.row[i]) for i in range(len(store.items))}
    for row in (9, 2):
        pixels = store.read("photo", [entries[bytes(e.gallery_path[row])]])[0]
        assert np.array_equal(np.asarray(found[row]), pixels)
    by_digest = np.array([b"0" * 64, store.items.digest[0].encode()])
    (image,) = Album(store, 24).take("photo", [1], None, by_digest).values()
    assert np.array_equal(np.asarray(image), store.read("photo", [int(store.items.row[0])])[0])


def test_pictures_that_are_not_there(store):
    album = Album(store, 24)
    with pytest.raises(MismatchError, match="gone"):
        album.take("photo", [0], np.array([b"gone.png"]), None)
    with pytest.raises(MismatchError, match="name no files"):
        album.take("photo", [0], None, None)


def test_the_store_is_found_by_its_digest(store, tmp_path, monkeypatch):
    e = pictured.embeddings(store)
    assert store_of(e, tmp_path / "x.h5").digest == store.digest
    home = store.folder.parent.parent
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "elsewhere"))
    assert store_of(e, home / "runs" / "one" / "embeddings.h5").digest == store.digest
    assert store_of(e, tmp_path / "x.h5", str(store.folder)).digest == store.digest
    with pytest.raises(MissingError, match="not prepared here"):
        store_of(e, tmp_path / "x.h5")
    with pytest.raises(MissingError, match="does not say"):
        store_of(replace(e, store=""), tmp_path / "x.h5")
    with pytest.raises(MismatchError):
        store_of(replace(e, store="0" * 64), tmp_path / "x.h5", str(store.folder))


def test_thin_strokes_stay_dark():
    paper = np.full((256, 256, 1), 255, dtype=np.uint8)
    paper[128] = 0
    small = np.asarray(thumbnail(paper, 64))
    assert small.min() == 0
    assert small.max() == 255
    blank = np.asarray(thumbnail(np.full((256, 256, 1), 255, dtype=np.uint8), 64))
    assert blank.min() == 255


def test_words_fit_their_room():
    long = "photo/größer/" + "n" * 80 + "_12.jpg"
    short = ellipsize(long, 100, 11)
    assert font(11).getlength(short) <= 100
    assert "…" in short
    assert short.endswith("12.jpg")
    assert ellipsize("cat", 100, 11) == "cat"
    assert ellipsize("anything", 0, 11) == "…"
    lines = wrapped("one two three four five", 60, 11)
    assert len(lines) > 1
    assert " ".join(lines) == "one two three four five"


def test_nothing_leaves_the_page_or_overlaps(store):
    _, (page,) = pages_of(store, runs=("first", "a run of a very long name " * 3))
    boxes = []
    for picture in page.pictures:
        edge = picture.side + 2 * picture.frame
        boxes.append((picture.x, picture.y, picture.x + edge, picture.y + edge))
    for text in page.texts:
        width = int(font(text.size, text.bold).getlength(text.words))
        left = text.x - width if text.right else text.x
        boxes.append((left, text.y, left + width, text.y + text.size))
    for left, top, right, bottom in boxes:
        assert left >= 0
        assert top >= 0
        assert right <= page.width
        assert bottom <= page.height
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart = a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]
            assert apart, (a, b)


def test_right_and_wrong_differ_in_colour_and_sign(store):
    sheet, (page,) = pages_of(store)
    hits = [hit for asked in sheet.queries for hit in asked.answers[0].hits]
    framed = [picture for picture in page.pictures if picture.mark]
    assert len(framed) == len(hits)
    assert [picture.mark for picture in framed] == ["✓" if hit.right else "✗" for hit in hits]
    assert len({(picture.mark, picture.colour) for picture in framed}) == 2
    words = " ".join(text.words for text in page.texts)
    assert "Queries: 5 of 12 queries at random, seed 0." in words


def test_pages_keep_the_answers_to_a_query_together(store):
    _, pages = pages_of(store, runs=("a", "b"), rows=5)
    sketches = [sum(not p.mark for p in page.pictures) for page in pages]
    assert sketches == [2, 2, 1]  # 5 rows hold two queries of two runs


def test_a_long_class_is_whole_and_its_value_goes_below():
    page = Page(200, 100)
    sheet_layout.two_lines(page, 0, 0, 120, "hot-air_balloon", "0.512", "photo/n0278_1.jpg")
    name, value, below = page.texts
    assert name.words == "hot-air_balloon"
    assert value.y == below.y > name.y
    assert font(below.size).getlength(below.words) < 120 - font(value.size).getlength("0.512")
    sheet_layout.two_lines(page, 0, 0, 120, "cat", "0.512", "photo/n0278_1.jpg")
    name, value, below = page.texts[3:]
    assert value.y == name.y
    assert below.words == "n0278_1.jpg"


def test_names_of_runs_are_broken_and_end_as_they_end():
    name = "baseline-cg-sketchy128-imagenet21-0-bd9de19e"
    assert "".join(sheet_layout.run_lines(name, 120)) == name
    lines = sheet_layout.run_lines("-".join(["part"] * 60) + "-end", 120)
    assert len(lines) == 5
    assert lines[-1].endswith("end")


def test_a_pdfs_frames_lie_over_the_pictures(store):
    _, (page,) = pages_of(store)
    drawn = []

    class Recording(RendererBase):
        def draw_image(self, gc, x, y, im, transform=None):
            drawn.append("image")

        def draw_path(self, gc, path, transform, rgbFace=None):
            drawn.append("badge" if rgbFace else "frame")

        def draw_text(self, *_):
            drawn.append("text")

    paint(page, Recording(), {})
    assert drawn.count("frame") == len(page.pictures) == drawn.count("image")
    assert drawn.count("badge") == sum(bool(picture.mark) for picture in page.pictures)
    assert drawn.index("frame") == len(page.pictures)
    assert drawn.count("text") == len(page.texts) + drawn.count("badge")


def test_png_shows_frames_and_photos(store, tmp_path):
    _, (page,) = pages_of(store)
    save_png(page, tmp_path / "a.png")
    painted = np.asarray(Image.open(tmp_path / "a.png"))
    assert painted.shape == (page.height, page.width, 3)
    photo = next(picture for picture in page.pictures if picture.mark)
    corner = painted[photo.y + photo.side + 2 * FRAME - 1, photo.x + photo.side + 2 * FRAME - 1]
    assert "#{:02X}{:02X}{:02X}".format(*corner) == photo.colour
    inside = painted[photo.y + FRAME + 25, photo.x + FRAME + 25]
    shown = photo.image.resize((photo.side, photo.side), Image.Resampling.LANCZOS)
    assert np.array_equal(inside, np.asarray(shown)[25, 25])


def test_pdf_has_its_pages_and_fonts_and_equal_bytes(store, tmp_path):
    for name in ("a.pdf", "b.pdf"):
        _, pages = pages_of(store, rows=3)
        save_pdf(pages, tmp_path / name)
    data = (tmp_path / "a.pdf").read_bytes()
    assert data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") == len(pages) == 2
    assert b"/FontFile2" in data
    assert data == (tmp_path / "b.pdf").read_bytes()
    photos = {id(p.image) for page in pages for p in page.pictures if p.image.mode == "RGB"}
    assert data.count(b"/DCTDecode") == len(photos)  # each once, as it came


def test_samples_are_of_their_class(store):
    page, limit = samples_page(store, each=2, side=24, across=2, seed=3)
    again, _ = samples_page(store, each=2, side=24, across=2, seed=3)
    assert limit == ""
    assert len(page.pictures) == 3 * 4
    assert [np.asarray(p.image).tolist() for p in page.pictures] == [
        np.asarray(p.image).tolist() for p in again.pictures
    ]
    for place in range(3):
        for picture in page.pictures[4 * place : 4 * place + 4]:
            assert np.asarray(picture.image)[12, 12].max() == 40 + 60 * place
    # sketches above photos, one column a class
    column = page.pictures[:4]
    assert len({picture.x for picture in column}) == 1
    assert [picture.image.mode for picture in column] == ["L", "L", "RGB", "RGB"]
    assert [picture.y for picture in column] == sorted(picture.y for picture in column)


def test_samples_of_very_many_say_what_is_left_out(store):
    page, limit = samples_page(store, each=1500, side=24)
    assert limit.startswith("only the first 1 of 3 classes")
    assert f"Shown: {limit}." in " ".join(text.words for text in page.texts)


@pytest.mark.parametrize("side, holds", [(112, 3000), (200, 3000), (512, 457)])
def test_sheets_of_large_pictures_hold_fewer(side, holds):
    assert sheet_layout.held(3000, side) == holds


def test_bands_of_samples_are_alike_in_length(store):
    page, _ = samples_page(store, each=1, side=24, across=2)
    classes = [picture.x for picture in page.pictures[::2]]
    assert len(set(classes)) == 2
    page, _ = samples_page(store, each=1, side=24, across=16)
    assert len({picture.y for picture in page.pictures}) == 2
