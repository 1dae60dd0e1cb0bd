import io
import json
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from raw_files import packed, write

from sbirctl.core.config import resolve
from sbirctl.core.errors import CorruptError, MismatchError, MissingError, UsageError
from sbirctl.datasets.published.counts import published_counts
from sbirctl.datasets.quickdraw import QuickDraw, QuickDrawOptions
from sbirctl.datasets.readers.archive import open_tree
from sbirctl.datasets.readers.tree import folder_tree
from sbirctl.drawings.strokes import Pen, parse_drawing, render

OFFICIAL = [
    *(f"QuickDraw_sketches_final/{c}/{i}.png" for c in ("palm tree", "hat") for i in "12"),
    *(f"QuickDraw_images_final/{c}/image_0000{i}.jpg" for c in ("palm tree", "bee") for i in "12"),
]  # fmt: skip
SQUARE = [[[10, 110, 110, 10, 10], [20, 20, 120, 120, 20]]]


def line(word, key, strokes=SQUARE, **more):
    entry = {"word": word, "key_id": str(key), "recognized": True, "drawing": strokes} | more
    return json.dumps(entry).encode() + b"\n"


STROKES = {
    "The Eiffel Tower.ndjson": line("The Eiffel Tower", 1) + line("The Eiffel Tower", 2),
    "raw/bee.ndjson": line("bee", 3, [[[1.5, 900], [2, 40], [0, 16]]])
    + b"{broken\n\n"
    + line("bee", 4, recognized=False)
    + line("bee", 5, []),
    "anvil.ndjson": line("anvil", 6),
}


def read(*roots, **options):
    trees = [folder_tree(root) for root in roots]
    chosen = resolve(QuickDrawOptions, options)
    return QuickDraw().read({"from": trees}, chosen, name="quickdraw")


def counts(source):
    return Counter((item.modality, item.class_name) for item in source.items)


def pixels(source, item):
    return np.asarray(Image.open(io.BytesIO(source.read(item))))


class TestPictures:
    def test_official(self, tmp_path):
        source = read(write(tmp_path, OFFICIAL))
        assert counts(source)["sketch", "palm tree"] == 2
        assert counts(source)["photo", "bee"] == 2
        assert source.layout == "official"
        assert source.read(source.items[0]).startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("sketches", "photos"),
        [("QuickDraw_sketches", "EXTEND_image_quickdraw"), ("sketches", "images"),
         ("train/sketch", "train/photo"), ("sketch", "photo")],
    )  # fmt: skip
    def test_other_names(self, tmp_path, sketches, photos):
        names = {"QuickDraw_sketches_final": sketches, "QuickDraw_images_final": photos}
        files = ["/".join([names[f.split("/", 1)[0]], f.split("/", 1)[1]]) for f in OFFICIAL]
        assert len(read(write(tmp_path, files)).items) == 8

    def test_lists_of_zse(self, tmp_path):
        write(tmp_path, ["sketches/bat/1.png", "sketches/bat/2.png", "images/bat/1.jpg"])
        write(tmp_path, {"zeroshot/sketch_zero.txt": b"sketches/bat/2.png 0\n",
                         "zeroshot/all_photo_zero.txt": b"images/bat/1.jpg 0\n"})  # fmt: skip
        assert counts(read(tmp_path)) == {("sketch", "bat"): 1, ("photo", "bat"): 1}

    def test_either_side_is_needed(self, tmp_path):
        with pytest.raises(MissingError, match="no photos"):
            read(write(tmp_path, OFFICIAL[:4]))
        with pytest.raises(MissingError, match="no sketches"):
            read(write(tmp_path / "x", OFFICIAL[4:]) / "QuickDraw_images_final")


class TestStrokes:
    def test_classes_of_the_data_set(self, tmp_path):
        source = read(write(tmp_path, STROKES))
        assert counts(source) == {("sketch", "eiffel tower"): 2, ("sketch", "bee"): 1}
        assert source.ignored == {
            "drawings of other classes": 1,
            "drawings that were not recognized": 1,
        }
        assert any("2 lines of strokes cannot be read" in line for line in source.remarks)
        assert {item.id for item in source.items} >= {"sketch/bee/3.png"}

    def test_all_classes_and_unrecognized_ones(self, tmp_path):
        source = read(write(tmp_path, STROKES), classes="all", unrecognized="true")
        assert counts(source)["sketch", "anvil"] == 1
        assert counts(source)["sketch", "bee"] == 2

    def test_a_limit_a_class(self, tmp_path):
        source = read(write(tmp_path, STROKES), drawings=1)
        assert counts(source) == {("sketch", "eiffel tower"): 1, ("sketch", "bee"): 1}

    def test_a_drawing_has_its_shape(self, tmp_path):
        source = read(write(tmp_path, STROKES))
        item = next(item for item in source.items if item.class_name == "eiffel tower")
        image = pixels(source, item)
        assert image.shape == (256, 256)
        assert image[128, 128] == image[0, 0] == 255  # inside and outside of the square
        inked = np.argwhere(image < 128)
        low, high = inked.min(axis=0), inked.max(axis=0)
        assert (high - low).min() > 200
        assert np.abs(low + high - 255).max() <= 1  # in the middle
        assert ((image > 0) & (image < 255)).any()  # soft edges

    def test_the_line_width_is_what_was_asked_for(self, tmp_path):
        write(tmp_path, STROKES)
        widths = []
        for width in (2, 6):
            source = read(tmp_path, **{"line-width": width})
            item = next(item for item in source.items if item.class_name == "eiffel tower")
            widths.append((255 - pixels(source, item)[128, :128].astype(float)).sum() / 255)
        assert widths == pytest.approx([2, 6], abs=0.6)
        with pytest.raises(UsageError, match="line-width"):
            read(tmp_path, **{"line-width": 0})

    def test_it_crosses_to_other_processes_and_comes_from_archives(self, tmp_path):
        folder = write(tmp_path / "strokes", STROKES)
        source = read(folder)
        archive = packed(folder, tmp_path / "strokes.zip")
        tree = open_tree(archive, tmp_path / "work")
        other = QuickDraw().read({"from": [tree]}, QuickDrawOptions(), name="quickdraw")
        reader = pickle.loads(pickle.dumps(source.read))
        for one, two in zip(source.items, other.items, strict=True):
            assert reader(one) == source.read(one) == other.read(two)

    def test_identity_changes_with_the_pen_and_the_files(self, tmp_path):
        write(tmp_path, STROKES)
        first = read(tmp_path).identity
        assert read(tmp_path, **{"line-width": 3}).identity != first
        write(tmp_path, {"bat.ndjson": line("bat", 9)})
        assert read(tmp_path).identity != first

    def test_with_photos_and_never_with_pictures_of_sketches(self, tmp_path):
        write(tmp_path, STROKES)
        write(tmp_path, ["photo/bee/1.jpg"])
        assert counts(read(tmp_path))["photo", "bee"] == 1
        write(tmp_path, ["sketch/bee/1.png"])
        with pytest.raises(MismatchError, match="both pictures"):
            read(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'{"drawing": [[["a"], [1]]]}'])
def test_no_strokes(text):
    with pytest.raises(CorruptError):
        parse_drawing(text)


@pytest.mark.parametrize("strokes", [[], [np.array([[np.nan, 1.0]])], [np.empty((0, 2))]])
def test_nothing_to_draw(strokes):
    with pytest.raises(CorruptError):
        render(strokes, Pen())


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(-900, 900), st.integers(-900, 900)), min_size=1, max_size=8),
    st.sampled_from([1.0, 2.5, 9.0]),
)
def test_what_is_drawn_fits_and_leaves_a_margin(points, width):
    stroke = np.array(points, dtype=float)
    image = np.asarray(render([stroke], Pen(width, 64)))
    assert image.min() < 200
    assert (image[[0, -1]] == 255).all()
    assert (image[:, [0, -1]] == 255).all()
    # Moving and enlarging a drawing does not change its picture but for rounding.
    again = np.asarray(render([stroke * 3 + 7], Pen(width, 64)))
    assert np.abs(again.astype(int) - image).mean() < 2


def test_a_frame_keeps_a_drawings_place():
    stroke = np.array([[0.0, 64.0], [256.0, 64.0]])
    image = np.asarray(render([stroke], Pen(4.0, 128), (0, 0, 256, 256)))
    rows = np.flatnonzero((image < 128).any(axis=1))
    assert rows.mean() == pytest.approx(31.5, abs=0.6)
    wide = np.asarray(render([stroke], Pen(4.0, 128), (0, 0, 512, 256)))
    assert (wide[:, 70:] == 255).all()


def test_published_counts():
    table = published_counts("quickdraw")
    assert len(table) == 110
    assert sum(row.get("sketches", 0) for row in table.values()) == 92_291
    assert sum(row.get("photos", 0) for row in table.values()) == 54_151
