import io
import os
import pickle
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from raw_files import packed, picture, write

from sbirctl.core.config import resolve
from sbirctl.core.errors import CorruptError, MismatchError, MissingError
from sbirctl.datasets.readers.archive import open_tree
from sbirctl.datasets.readers.coordinates import read_coordinates, strokes_of
from sbirctl.datasets.readers.qmul import PairOptions
from sbirctl.datasets.readers.tree import folder_tree
from sbirctl.datasets.shoev2 import ShoeV2
from sbirctl.drawings.svg import parse_svg

# Three photos, the third for testing; the first drawn twice, once as number 50.
PHOTOS = ["2429245009", "2508300347", "31"]
SKETCHES = ["2429245009_1", "2429245009_50", "2508300347_2", "31_1", "31_2"]
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 800">'
    b'<path stroke="#000" d="M100 400 L700 400"/></svg>'
)


def lines(names, ending):
    return "".join(f"{name}{ending}\n" for name in names).encode()


def raw(ending="png", folder="ShoeV2_sketch"):
    data = SVG if ending == "svg" else None
    files = {f"ShoeV2_F/ShoeV2_photo/{p}.png": picture(i) for i, p in enumerate(PHOTOS)}
    return files | {
        f"ShoeV2_F/{folder}/{s}.{ending}": data or picture(i + 9) for i, s in enumerate(SKETCHES)
    }


LISTS = {
    "ShoeV2_F/photo_train.txt": lines(PHOTOS[:2], ".png"),
    "ShoeV2_F/photo_test.txt": lines(PHOTOS[2:], ".png"),
    "ShoeV2_F/sketch_train.txt": lines(SKETCHES[:3], ".svg"),
    "ShoeV2_F/sketch_test.txt": lines(SKETCHES[3:], ".svg"),
}


def sides(form):
    """Files in a shape that tells train from test by folders."""
    names = []
    for i, photo in enumerate(PHOTOS):
        names.append(form("train" if i < 2 else "test", "photo", photo, photo))
    for i, sketch in enumerate(SKETCHES):
        side = "train" if i < 3 else "test"
        names.append(form(side, "sketch", sketch.rpartition("_")[0], sketch))
    return {name: picture(i) for i, name in enumerate(names)}


def pix2pix(side, role, stem, name):
    return f"ShoeV2/{side}{'A' if role == 'sketch' else 'B'}/{name}.png"


def drclip(side, role, stem, name):
    return f"ShoeV2/{'val' if side == 'test' else side}/{role}/{stem}/{name}.png"


def pickled(protocol=2):
    points = np.array([[10.0, 128, 0], [246, 128, 1], [128, 10, 0], [128, 246, 0]])
    keys = [f"/{'train' if i < 3 else 'test'}/{s}" for i, s in enumerate(SKETCHES)]
    return pickle.dumps(dict.fromkeys(keys, points), protocol=protocol)


COORDINATES = {f"ShoeV2/photo/{p}.png": picture(i) for i, p in enumerate(PHOTOS)} | {
    "ShoeV2/ShoeV2_Coordinate": pickled()
}
SHAPES = {
    "raw": raw() | LISTS,
    "raw svg": raw("svg", "ShoeV2_sketch_svg") | LISTS,
    "trainA": sides(pix2pix),
    "a folder an instance": sides(drclip),
    "coordinates": COORDINATES,
}


def read(*roots, **options):
    trees = [folder_tree(root) for root in roots]
    return ShoeV2().read({"from": trees}, resolve(PairOptions, options), name="shoev2")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_one_data_set(tmp_path, shape):
    source = read(write(tmp_path, SHAPES[shape]))
    pairs = Counter((item.modality, item.instance) for item in source.items)
    assert pairs == {
        ("photo", "shoe/2429245009"): 1,
        ("photo", "shoe/2508300347"): 1,
        ("photo", "shoe/31"): 1,
        ("sketch", "shoe/2429245009"): 2,
        ("sketch", "shoe/2508300347"): 1,
        ("sketch", "shoe/31"): 2,
    }
    assert source.test_instances == ("shoe/31",)
    assert set(source.ignored) <= {"no image"}  # lists and coordinates
    assert all(source.ignored.values())
    assert {item.class_name for item in source.items} == {"shoe"}
    counts = source.facts["comparison"]["found"]
    assert (counts["sketches_train"], counts["sketches_test"]) == (3, 2)
    assert (counts["photos_train"], counts["photos_test"]) == (2, 1)
    reader = pickle.loads(pickle.dumps(source.read))
    for item in source.items:
        assert Image.open(io.BytesIO(reader(item))).size[0] in (12, 256)


@pytest.mark.parametrize("shape", ["raw svg", "coordinates"])
def test_strokes_are_rendered_in_their_place(tmp_path, shape):
    write(tmp_path, SHAPES[shape])
    inked = []
    for width in (2, 8):
        source = read(tmp_path, **{"line-width": width})
        item = next(item for item in source.items if item.modality == "sketch")
        image = np.asarray(Image.open(io.BytesIO(source.read(item))).convert("L"))
        rows = np.nonzero(image[:, 32:96] < 128)[0]
        assert rows.mean() == pytest.approx(127.5, abs=1)
        inked.append((255.0 - image[:, 64]).sum() / 255)
    assert inked == pytest.approx([2, 8], abs=0.8)


def test_what_an_svg_leaves_out_is_told_with_its_bytes(tmp_path):
    files = raw("svg", "ShoeV2_sketch_svg")
    name = "ShoeV2_F/ShoeV2_sketch_svg/31_1.svg"
    files[name] = SVG.replace(b"</svg>", b"<text>Nike</text></svg>")
    source = read(write(tmp_path / "raw", files | LISTS))
    told = {
        item.id: source.read(item).left_out for item in source.items if item.path.endswith(b"svg")
    }
    assert {id.rpartition("/")[2]: text for id, text in told.items() if text} == {
        "31_1.svg": "1 text"
    }


def test_without_lists_nothing_is_for_testing(tmp_path):
    source = read(write(tmp_path, raw()))
    assert source.test_instances == ()
    assert any("takes a fifth" in line for line in source.remarks)


def test_pictures_are_preferred_to_vectors_of_the_same_sketches(tmp_path):
    write(tmp_path, raw(folder="ShoeV2_sketch_png") | raw("svg", "ShoeV2_sketch_svg"))
    source = read(tmp_path)
    assert len(source.items) == 8
    assert not any(item.path.endswith(b".svg") for item in source.items)
    assert source.ignored["vectors of sketches that are there as pictures"] == 5


def test_the_photo_decides_where_lists_disagree(tmp_path):
    lists = LISTS | {
        "ShoeV2_F/sketch_train.txt": lines(SKETCHES[:4], ".svg"),
        "ShoeV2_F/sketch_test.txt": lines(SKETCHES[4:], ".svg"),
    }
    source = read(write(tmp_path, raw() | lists))
    assert source.test_instances == ("shoe/31",)
    assert any(line.startswith("1 sketches are listed on another side") for line in source.remarks)


def test_files_in_no_list_are_left_aside(tmp_path):
    lists = LISTS | {"ShoeV2_F/photo_train.txt": lines(PHOTOS[:1], ".png")}
    source = read(write(tmp_path, raw() | lists))
    assert source.ignored["in no file list"] == 1
    assert any("1 sketches were drawn from photos" in line for line in source.remarks)


def test_the_other_data_set_is_left_aside(tmp_path):
    write(tmp_path, sides(drclip))
    write(tmp_path, {"ChairV2/train/photo/a/a.png": picture(1), "ChairV2_Coordinate": b"x"})
    source = read(tmp_path)
    assert len(source.items) == 8
    assert source.ignored["of another data set"] == 1


def test_archives(tmp_path):
    write(tmp_path / "x", COORDINATES)
    tree = open_tree(packed(tmp_path / "x" / "ShoeV2", tmp_path / "a.zip"), tmp_path / "work")
    source = ShoeV2().read({"from": [tree]}, PairOptions(), name="shoev2")
    assert len(source.items) == 8
    assert source.read(source.items[-1])


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"ShoeV2/photo/1.png": b"x"}, MissingError),
        ({"ShoeV2/sketch/1_1.png": b"x"}, MissingError),
        (sides(drclip) | sides(pix2pix), MismatchError),
        (COORDINATES | {"again/ShoeV2_Coordinate": pickled()}, MismatchError),
    ],
    ids=["no sketches", "no photos", "two shapes", "two coordinate files"],
)
def test_what_is_not_enough_or_too_much(tmp_path, files, error):
    with pytest.raises(error) as caught:
        read(write(tmp_path, files))
    assert caught.value.hint


class TestCoordinates:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize("kind", ["f8", ">f4", "i2"])
    def test_arrays_come_back_from_every_protocol(self, protocol, kind):
        arrays = {
            "/train/a_1": np.arange(12, dtype=kind).reshape(4, 3),
            "/test/b": np.asfortranarray(np.arange(6, dtype=kind).reshape(2, 3)),
        }
        read_back = read_coordinates(pickle.dumps(arrays, protocol=protocol))
        assert list(read_back) == list(arrays)
        for key, array in arrays.items():
            np.testing.assert_array_equal(read_back[key], array.astype(float))

    def test_nothing_is_executed(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "made"),)

        for value in (Trap(), {"/train/a_1": Trap()}, [Trap()]):
            with pytest.raises(CorruptError, match=r"asks for \w+\.mkdir"):
                read_coordinates(pickle.dumps(value))
        assert not (tmp_path / "made").exists()

    @pytest.mark.parametrize(
        "value",
        [{}, [], {"a": 1}, {1: np.zeros((2, 3))}, {"a": np.zeros((2, 2))}, {"a": np.zeros(3)},
         {"a": np.array([[1, "x", None]], dtype=object)}, {"a": np.zeros((2, 3), complex)}],
    )  # fmt: skip
    def test_other_pickles_are_refused(self, value):
        with pytest.raises(CorruptError):
            read_coordinates(pickle.dumps(value))

    def test_damaged_ones_are_refused(self):
        whole = pickled()
        for data in (b"", b"garbage", whole[:-30], whole[:50] + b"\xff" + whole[51:]):
            with pytest.raises(CorruptError):
                read_coordinates(data)

    def test_strokes_end_where_the_pen_is_lifted(self):
        points = np.array([[0, 0, 0], [1, 0, 1], [2, 0, 0], [3, 0, 0], [4, 0, 1]])
        assert [len(stroke) for stroke in strokes_of(points)] == [2, 3]


class TestSvg:
    def strokes(self, inside, attributes=""):
        text = f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{inside}</svg>'
        drawing = parse_svg(text.encode())
        return drawing.strokes, drawing.sheet

    def test_lines_of_every_kind(self):
        strokes, frame = self.strokes(
            '<polyline points="1,2 3,4"/><polygon points="0 0 1 0 1 1"/>'
            '<line x1="5" y1="6" x2="7" y2="8"/><path d="M1 1h2v3z"/><text>a</text>',
            'width="20px" height="10"',
        )
        assert [stroke.tolist() for stroke in strokes] == [
            [[1, 2], [3, 4]],
            [[0, 0], [1, 0], [1, 1], [0, 0]],
            [[5, 6], [7, 8]],
            [[1, 1], [3, 1], [3, 4], [1, 1]],
        ]
        assert frame == (0, 0, 20, 10)

    @pytest.mark.parametrize("curve", ["C0 0 4 0 4 4", "Q4 0 4 4", "A4 4 0 0 1 4 4"])
    def test_curves_end_where_they_should(self, curve):
        ((stroke,), frame) = self.strokes(f'<path d="M0 0 {curve}"/>')
        assert len(stroke) > 8
        assert stroke[-1] == pytest.approx([4, 4])
        assert np.abs(stroke).max() < 4.5
        assert frame is None

    @pytest.mark.parametrize(
        ("transform", "expected"),
        [("translate(3,4)", [4, 6]), ("scale(2)", [2, 4]), ("matrix(0 1 1 0 5 6)", [7, 7]),
         ("translate(3) scale(2 3)", [5, 6]), ("rotate(90)", [-2, 1]),
         ("rotate(180 1 1)", [1, 0]), ("skewX(45)", [3, 2])],
    )  # fmt: skip
    def test_transforms_of_groups(self, transform, expected):
        inner = '<line x1="1" y1="2" x2="1" y2="2"/>'
        ((stroke,), _) = self.strokes(f'<g transform="{transform}">{inner}</g>')
        assert stroke[0] == pytest.approx(expected)

    @pytest.mark.parametrize(
        "data",
        [b"", b"<svg", b"<!ENTITY b 'b'><svg/>", b"<svg><path d='M'/></svg>"],
    )  # fmt: skip
    def test_what_cannot_be_read(self, data):
        with pytest.raises(CorruptError):
            parse_svg(data)
