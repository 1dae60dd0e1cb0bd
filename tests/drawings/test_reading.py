"""Drawings of every kind become dark on white, square, and stand where training sketches stood."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from sbirctl.core.errors import CorruptError, UsageError
from sbirctl.core.progress import Reporter
from sbirctl.drawings.paper import clean_paper, is_clean
from sbirctl.drawings.placement import Placement, ink_box, measure_placement, normalize_placement
from sbirctl.drawings.reading import read_drawing

ANYWHERE = Placement(0.0, 0.8, 1.0, 1.0)  # every drawing fits
STROKES = [[[0, 100], [0, 100]], [[0, 100], [100, 0]]]


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def drawn(box=(20, 30, 80, 70), side=100, width=3, ink=0, paper=255, mode="L"):
    image = Image.new(mode, (side, side), paper)
    ImageDraw.Draw(image).rectangle(box, outline=ink, width=width)
    return image


def grey(image):
    return np.asarray(image.convert("L"))


def photographed(image, rng, noise=3.0):
    """A sheet of greyish paper in uneven light, drawn on with a pencil, through a lens."""
    side = 400
    ink = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
    y, x = np.mgrid[0:side, 0:side] / side
    light = 205 - 90 * x - 40 * y + 15 * np.sin(3 * x + 2 * y)
    values = light * (0.45 + 0.55 * ink) + rng.normal(0, noise, ink.shape)
    soft = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    return soft.filter(ImageFilter.GaussianBlur(0.7))


@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_clean_drawing_that_fits_passes_unchanged(mode, kind):
    image = drawn().convert(mode)
    made = read_drawing(encoded(image, kind), placement=ANYWHERE)
    assert made.mode == "RGB"
    assert np.array_equal(grey(made), grey(image))


def test_transparency_is_paper():
    image = Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    ImageDraw.Draw(image).line((5, 5, 45, 45), fill=(0, 0, 0, 255), width=3)
    made = grey(read_drawing(encoded(image), placement=ANYWHERE))
    assert (made[0, 49], made[25, 25]) == (255, 0)


def test_strokes_and_svg_of_the_same_cross_give_the_same_picture():
    line = json.dumps({"word": "x", "key_id": "1", "drawing": STROKES}).encode()
    svg = b"<svg viewBox='0 0 100 100'><path d='M0 0L100 100M0 100L100 0'/></svg>"
    one = grey(read_drawing(line))
    other = grey(read_drawing(b"\xef\xbb\xbf <?xml version='1.0'?>" + svg))
    assert one.shape == other.shape
    assert np.abs(one.astype(int) - other).mean() < 8
    assert (one[len(one) // 2, len(one) // 2], one[len(one) // 2, 3]) == (0, 255)


def test_of_several_drawings_the_first_counts():
    lines = [
        json.dumps({"word": "x", "key_id": "1", "drawing": drawing})
        for drawing in (STROKES, [[[0, 9], [0, 0]]])
    ]
    both = read_drawing(("\n" + "\n".join(lines)).encode())
    assert np.array_equal(grey(both), grey(read_drawing(lines[0].encode())))


def test_other_shapes_become_square_on_white_not_squashed():
    image = Image.new("L", (120, 40), 255)
    ImageDraw.Draw(image).rectangle((10, 5, 109, 34), outline=0, width=2)
    made = grey(read_drawing(encoded(image), centre=False))
    box = ink_box(made)
    assert made.shape == (120, 120)
    assert (box.right - box.left, box.bottom - box.top) == (100, 30)


@settings(max_examples=40)
@given(
    st.integers(0, 60), st.integers(0, 60), st.integers(4, 36), st.integers(4, 36), st.booleans()
)
def test_centring_brings_the_ink_to_its_place_and_keeps_its_shape(x, y, width, height, wide):
    placement = Placement(low=0.7, fill=0.8, high=0.9, shift=0.02)
    image = drawn((x, y, x + width - 1, y + height - 1), width=1)
    made = normalize_placement(image, placement)
    before, after = ink_box(np.asarray(image)), ink_box(np.asarray(made))
    assert (after.right - after.left, after.bottom - after.top) == (
        before.right - before.left,
        before.bottom - before.top,
    )
    side = made.width
    assert made.width == made.height
    assert after.longer / side == pytest.approx(0.8, abs=0.5 / side + 0.8 / side)
    assert abs(after.left + after.right - side) <= 1
    assert abs(after.top + after.bottom - side) <= 1
    again = normalize_placement(made, Placement(low=0.6, fill=0.8, high=1.0, shift=0.2))
    assert again is made


def test_centring_can_be_left_out():
    image = drawn((5, 5, 20, 20))
    placement = Placement(0.7, 0.8, 0.9, 0.02)
    assert np.array_equal(grey(read_drawing(encoded(image), centre=False)), np.asarray(image))
    assert read_drawing(encoded(image), placement=placement).size != image.size


def test_the_frame_of_some_sketches():
    sheets = [np.asarray(drawn((10, 10, 10 + side, 60))) for side in range(60, 81)]
    empty = np.full((100, 100), 255, np.uint8)
    placement = measure_placement([*sheets, empty])
    assert (placement.low, placement.fill, placement.high) == pytest.approx((0.62, 0.71, 0.80))
    assert placement.shift == pytest.approx(0.145)
    assert measure_placement([empty]) == Placement()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_a_photographed_sheet_becomes_black_on_white(seed, noise):
    rng = np.random.default_rng(seed)
    corner = rng.integers(5, 40, 2)
    image = drawn((*corner, *(corner + rng.integers(30, 55, 2))), width=2)
    sheet = photographed(image, rng, noise)
    assert not is_clean(np.asarray(sheet))
    made = grey(read_drawing(encoded(sheet, "JPEG", quality=90), centre=False))
    line = np.asarray(image.resize((400, 400))) < 100
    near = np.asarray(image.resize((400, 400)).filter(ImageFilter.MinFilter(13))) < 250
    assert np.mean(made[line] < 128) > 0.9  # the strokes are there, black
    assert np.mean(made[~near] > 250) > 0.998  # and nothing else is
    untouched = read_drawing(encoded(sheet, "PNG"), clean="no", centre=False)
    assert np.array_equal(grey(untouched), np.asarray(sheet))


def test_chalk_on_a_blackboard_is_turned_round():
    image = drawn(ink=235, paper=20, side=300, box=(60, 60, 240, 200), width=6)
    made = grey(read_drawing(encoded(image), centre=False))
    assert (made[62, 150], made[10, 10], made[130, 150]) == (0, 255, 255)


def test_an_empty_sheet_of_paper_gives_no_drawing():
    rng = np.random.default_rng(0)
    sheet = photographed(Image.new("L", (100, 100), 255), rng)
    assert (clean_paper(np.asarray(sheet)) == 255).mean() > 0.999


def test_cleaning_can_be_demanded_of_any_drawing():
    assert (grey(read_drawing(encoded(drawn(ink=120)), clean="yes", centre=False)) < 30).any()
    with pytest.raises(UsageError, match="clean"):
        read_drawing(encoded(drawn()), clean="often")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"no picture", "no image"),
        (encoded(drawn())[:80], "decoded"),
        (b"<svg>", "no SVG"),
        (b"<svg></svg>", "no strokes"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><svg/>", "entities"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><svg/>".encode("utf-16-le"), "UTF-8"),
        (b"<svg><path d='M0 0L1e308 0L-1e308 5'/></svg>", "out of reach"),
        (b"<svg viewBox='0 0 1e999 5'><path d='M0 0L5 5'/></svg>", "out of reach"),
        (b"{", "strokes cannot be read"),
        (b'{"drawing": []}', "no strokes"),
        (b'{"drawing": [[[1e999], [0]]]}', "out of reach"),
        (b'{"drawing": 5}', "strokes cannot be read"),
        (b'{"drawing": [[[1, 2], [3]]]}', "strokes cannot be read"),
        (b'{"drawing": [[1, 2]]}', "no list of points"),
        (b'{"drawing": [[[1, 2]]]}', "no list of points"),
        (b'{"drawing": [[[[1]], [[2]]]]}', "no list of points"),
        (b'{"drawing": [[[1%s], [1]]]}' % (b"0" * 400), "strokes cannot be read"),
        (b'{"drawing": [[[1e308, -1e308], [0, 1]]]}', "out of reach"),
        (encoded(Image.new("L", (40, 40), 255)), "nothing is drawn"),
    ],
)
def test_what_is_no_drawing_is_said_in_two_lines(data, why):
    with pytest.raises(CorruptError, match=why) as raised:
        read_drawing(data, name="mine.png")
    assert "'mine.png'" in raised.value.message
    assert raised.value.hint


def test_limits():
    with pytest.raises(CorruptError, match="more than"):
        read_drawing(encoded(drawn()), max_bytes=50)
    with pytest.raises(CorruptError, match="more than the limit of 9,999"):
        read_drawing(encoded(drawn()), max_pixels=9_999)
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    with pytest.raises(CorruptError, match="400,000,000|20000 × 20000"):
        read_drawing(bomb)


@settings(max_examples=60)
@given(st.binary(max_size=300), st.sampled_from([b"", b"{", b"<svg", b"\x89PNG\r\n\x1a\n"]))
def test_whatever_the_bytes_it_is_a_drawing_or_an_error_in_two_lines(tail, head):
    try:
        made = read_drawing(head + tail)
    except CorruptError:
        return
    assert made.size[0] == made.size[1]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("centre", [True, False])
def test_white_ink_on_transparent_paper_is_dark_on_white(mode, centre):
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((10, 10, 49, 49), outline=(255, 255, 255, 255), width=4)
    made = grey(read_drawing(encoded(image.convert(mode)), centre=centre, placement=ANYWHERE))
    assert (made[11, 30], made[30, 30], made[0, 0]) == (0, 255, 255)


def test_some_dark_ink_beside_the_white_keeps_the_paper_white():
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((10, 10, 49, 49), fill=(255, 255, 255, 255))
    ImageDraw.Draw(image).line((20, 20, 40, 40), fill=(0, 0, 0, 255), width=3)
    made = grey(read_drawing(encoded(image), centre=False))
    assert (made[12, 12], made[30, 30], made[0, 0]) == (255, 0, 255)


def test_quick_draw_json_of_every_layout_is_the_same_drawing():
    one = {"word": "x", "key_id": "1", "drawing": STROKES}
    plain = grey(read_drawing(json.dumps(one).encode()))
    for text in (json.dumps(one, indent=2), json.dumps([one, {}]), json.dumps([one], indent=1)):
        assert np.array_equal(grey(read_drawing(text.encode())), plain)
    for text in ("[]", "[1, 2]", "[[[0, 1], [2, 3]]]"):
        with pytest.raises(CorruptError, match="not one of drawings") as raised:
            read_drawing(text.encode())
        assert "one a line" in raised.value.hint
    for text in (b"[" * 100_000, b'{"a":' * 100_000):
        with pytest.raises(CorruptError):
            read_drawing(text)


def test_what_is_left_out_of_an_svg_is_warned_of():
    class Heard(Reporter):
        def __init__(self):
            self.messages = []

        def warn(self, message):
            self.messages.append(message)

    heard = Heard()
    data = b"<svg viewBox='0 0 9 9'><path d='M0 0L9 9'/><text>a</text></svg>"
    read_drawing(data, name="x.svg", report=heard)
    assert heard.messages == ["The drawing 'x.svg' is not shown whole; left out: 1 text."]
