import io
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import encoded, noise
from PIL import Image

from sbirctl.store import images
from sbirctl.store.images import ImageError, count_scans, decode_photo, load_image, to_pixels

RED = (200, 30, 40)


def plain(color, size=(12, 8), mode="RGB"):
    return Image.new(mode, size, color)


def first(pixels):
    return tuple(int(v) for v in pixels[0, 0])


def test_squash_is_pillows_antialiased_bicubic():
    image = noise(1, (37, 90))
    expected = np.asarray(image.resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(load_image(encoded(image), "photo", 16), expected)


def test_same_size_is_left_alone():
    image = noise(2, (16, 16))
    assert np.array_equal(load_image(encoded(image), "photo", 16), np.asarray(image))


def test_sketch_is_grey_with_one_channel():
    pixels = load_image(encoded(plain((255, 0, 0))), "sketch", 8)
    assert pixels.shape == (8, 8, 1)
    assert pixels.dtype == np.uint8
    assert first(pixels) == (76,)  # 0.299 * 255


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "PPM"])
def test_kinds_are_told_by_their_bytes(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert first(load_image(encoded(plain(RED), kind, **options), "photo", 8)) == RED


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (plain(100, mode="L"), (100, 100, 100)),
        (plain(1, mode="1"), (255, 255, 255)),
        (plain((*RED, 255), mode="RGBA"), RED),
        (plain((*RED, 0), mode="RGBA"), (255, 255, 255)),
        (plain((0, 0, 0, 128), mode="RGBA"), (127, 127, 127)),
        (plain((90, 0), mode="LA"), (255, 255, 255)),
        (plain((90, 255), mode="LA"), (90, 90, 90)),
    ],
)
def test_modes_and_transparency_onto_white(image, expected):
    assert first(load_image(encoded(image), "photo", 8)) == expected


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_white_ink_on_transparent_paper_is_drawn_dark_on_white(kind):
    image = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    for x in range(4):
        for y in range(8):
            image.putpixel((x, y), (255, 255, 255, 255))
    pixels = load_image(encoded(image, kind), "sketch", 8)
    assert (pixels[:, :4] == 0).all()
    assert (pixels[:, 4:] == 255).all()


def test_transparency_is_put_onto_white_before_the_resize():
    image = plain((0, 0, 0, 0), (64, 64), "RGBA")
    image.paste((255, 0, 0, 255), (0, 0, 32, 64))
    pixels = load_image(encoded(image), "photo", 16).astype(int)
    assert pixels[:, 12:].min() == 255  # no black bleeds in from under the transparent half
    assert (pixels[:, :, 0] > 250).all()


def test_palette_with_a_transparent_colour():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert first(load_image(encoded(image), "photo", 8)) == (40, 50, 60)
    assert first(load_image(encoded(image, transparency=1), "photo", 8)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_transparent_colour_without_palette(mode):
    color = 7 if mode == "L" else (7, 8, 9)
    data = encoded(plain(color, mode=mode), transparency=color)
    assert first(load_image(data, "photo", 8)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_use_their_full_range(kind):
    for value, expected in ((0, 0), (65535, 255), (32768, 128), (257 * 9, 9)):
        image = Image.fromarray(np.full((4, 4), value, dtype=np.uint16))
        assert first(load_image(encoded(image, kind), "sketch", 4)) == (expected,)


def test_float_pictures():
    half = Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32))
    assert first(load_image(encoded(half, "TIFF"), "sketch", 4)) == (128,)
    bright = Image.fromarray(np.full((4, 4), 200, dtype=np.float32))
    assert first(load_image(encoded(bright, "TIFF"), "sketch", 4)) == (200,)
    broken = Image.fromarray(np.full((4, 4), np.nan, dtype=np.float32))
    assert first(load_image(encoded(broken, "TIFF"), "sketch", 4)) == (0,)


def test_cmyk():
    data = encoded(plain((0, 255, 255, 0), mode="CMYK"), "JPEG", quality=95)
    red, green, blue = first(load_image(data, "photo", 8))
    assert red > 240
    assert green < 15
    assert blue < 15


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animation_gives_its_first_frame(kind):
    frames = [plain(RED), plain((0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert first(load_image(data, "photo", 8)) == RED


def test_exif_orientation():
    image = plain((255, 255, 255), (16, 16))
    image.paste((0, 0, 0), (0, 0, 16, 8))  # black above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees: what was above comes to the right
    pixels = load_image(encoded(image, exif=exif), "sketch", 16)
    assert pixels[:, 12:].max() == 0
    assert pixels[:, :4].min() == 255


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_no_harm():
    exif = b"Exif\0\0II*\0\xff\xff\xff\xff"
    assert first(load_image(encoded(plain(RED), exif=exif), "photo", 8)) == RED


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "BMP"])
def test_truncated_is_refused(kind):
    data = encoded(noise(3, (64, 64)), kind)
    with pytest.raises(ImageError):
        load_image(data[: len(data) * 2 // 3], "photo", 8)


@pytest.mark.parametrize("data", [b"", b"<html>Quota exceeded</html>", b"\xff\xd8\xff", b"\0" * 99])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(ImageError):
        load_image(data, "photo", 8)


def test_huge_is_refused_before_decoding(recwarn):
    data = encoded(Image.new("1", (10000, 9000)))
    assert len(data) < 100_000
    with pytest.raises(ImageError, match="10000 × 9000"):
        load_image(data, "photo", 8)
    with pytest.raises(ImageError, match="limit of 95"):
        load_image(encoded(plain(RED)), "photo", 8, max_pixels=95)
    assert first(load_image(encoded(plain(RED)), "photo", 8, max_pixels=96)) == RED
    assert not recwarn.list
    assert Image.MAX_IMAGE_PIXELS is not None  # Pillow's own limit is as it was


def test_postscript_is_never_run():
    stream = io.BytesIO()
    plain(RED).save(stream, "EPS")
    with pytest.raises(ImageError, match="no image"):
        load_image(stream.getvalue(), "photo", 8)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.binary(max_size=6), st.sampled_from(["PNG", "JPEG", "GIF"]))
def test_damage_gives_an_image_error_or_a_picture(place, junk, kind):
    data = bytearray(encoded(noise(4, (24, 24)), kind))
    place %= len(data)
    data[place : place + len(junk)] = junk
    try:
        pixels = load_image(bytes(data), "photo", 8)
    except ImageError:
        return
    assert pixels.shape == (8, 8, 3)


def test_a_photo_to_look_at_keeps_its_shape_and_is_decoded_no_smaller_than_asked():
    large = noise(3, (800, 1200))
    data = encoded(large, "JPEG")
    assert decode_photo(data).size == large.size
    reduced = decode_photo(data, 100)
    assert reduced.size == (large.width // 8, large.height // 8)
    assert decode_photo(data, 500).size == large.size
    assert decode_photo(encoded(plain((*RED, 0), mode="RGBA")), 4).getpixel((0, 0)) == (255,) * 3
    with pytest.raises(ImageError, match="limit"):
        decode_photo(data, 100, max_pixels=1000)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def odd_palette():
    """A PNG with more transparent entries than its palette has colours."""
    head = struct.pack(">IIBBBBB", 4, 4, 8, 3, 0, 0, 0)
    parts = (b"IHDR", head), (b"PLTE", bytes(9)), (b"tRNS", bytes(999))
    rows = (b"IDAT", zlib.compress(bytes(20))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in (*parts, *rows))


def test_what_cannot_be_converted_is_an_image_error():
    for read in (decode_photo, lambda data: load_image(data, "sketch", 8)):
        with pytest.raises(ImageError, match="it cannot be decoded: palette"):
            read(odd_palette())


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "I;16", "I", "F", "CMYK", "L", "1"])
@pytest.mark.parametrize("target", ["photo", "sketch"])
def test_a_large_picture_is_converted_as_a_small_one(monkeypatch, mode, target):
    rng = np.random.default_rng(3)
    if mode in ("I;16", "I", "F"):
        top = {"I;16": 65535, "I": 1 << 30, "F": 255}[mode]
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        image = Image.fromarray((rng.random((23, 17)) * top).astype(dtype))
        assert image.mode == mode
    else:
        colours = rng.integers(0, 256, (23, 17, 4), dtype=np.uint8)
        image = Image.fromarray(colours, "RGBA")
        image = image.convert("RGB") if mode not in ("RGBA", "LA") else image
        image = image.convert(mode)
    if mode == "P":
        image.info["transparency"] = 3
    expected = to_pixels(image, target, 23)
    monkeypatch.setattr(images, "_BAND_PIXELS", 40)
    assert np.array_equal(to_pixels(image, target, 23), expected)


def test_lab_pictures():
    image = encoded(Image.new("LAB", (9, 9), (255, 128, 128)), "TIFF")
    for modality in ("photo", "sketch"):
        assert load_image(image, modality, 8).min() > 250


def scanned(count, after=b""):
    """A progressive JPEG with its last scan repeated up to `count` in all."""
    data = encoded(noise(4, (16, 16)), "JPEG", progressive=True)
    starts = [m.start() for m in re.finditer(b"\xff\xda", data)]
    last = data[starts[-1] : -2]
    return data[:-2] + last * (count - len(starts)) + b"\xff\xd9" + after


def test_a_jpeg_of_very_many_scans_is_refused():
    load_image(scanned(100), "photo", 8)
    with pytest.raises(ImageError, match="more than 500 scans"):
        load_image(scanned(501), "photo", 8)


@pytest.mark.parametrize("count", [12, 51, 100])
@pytest.mark.parametrize("remark", [b"", b"\xff\xfe\x00\x03x", b"\xff\xfe\x00\x04\xff\xda"])
def test_scans_are_counted_wherever_they_stand(count, remark):
    data = scanned(count)
    data = data[:2] + remark + data[2:]
    assert count_scans(data, 5) == count_scans(data, count - 1) == count
    assert count_scans(data, count + 1) == count_scans(b"GIF" + data, 5) == 0


def test_what_follows_the_end_of_a_jpeg_is_no_scan():
    film = b"\xff\xda" * 2000
    assert load_image(scanned(12, film), "photo", 8).shape == (8, 8, 3)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["I;16", "RGBA"])
def test_a_huge_picture_costs_less_than_a_gigabyte(mode):
    code = (
        "import io\nfrom PIL import Image\nfrom sbirctl.store.images import load_image\n"
        f"s = io.BytesIO(); Image.new({mode!r}, (8000, 10000)).save(s, 'PNG', compress_level=1)\n"
        "load_image(s.getvalue(), 'photo', 64)\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"  # not the parent's
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1_000_000  # kB, with the program and the making of the picture
