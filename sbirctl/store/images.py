"""The store's half of preprocessing: image bytes of any kind to a square uint8 array.

Every photo and drawing, inside a store or fresh, passes through `load_image`: EXIF orientation,
first frame of animations, 16 bits to 8 by their full range, transparency onto white, conversion to
RGB (photos) or grey (sketches, ITU-R 601 luma), and a squash to a square with antialiased bicubic.
JPEGs much larger than that square are decoded at reduced size.
Colour profiles are not applied.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from enum import StrEnum
from functools import cache, partial

import numpy as np
from PIL import Image, ImageOps

from sbirctl.core.errors import CorruptError
from sbirctl.store.heic import can_be_read, is_heic
from sbirctl.store.heic import decode as decode_heic
from sbirctl.store.manifest import Modality

MAX_PIXELS = 80_000_000
# Each scan of a progressive JPEG goes over all pixels; cameras and editors write about ten.
_FEW_SCANS = 50  # of a JPEG; it is the number of scans that makes one costly
_PLAIN = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")
MAX_SCANS = 500
_BAND_PIXELS = 4_000_000  # of a large picture so many are converted at a time, to save memory
# A JPEG is decoded with no side below this many times the square's, which is four to eight times as
# fast for photos of 12 megapixels and moves a network's vector by a cosine of 1 - 3e-4 at most.
_REDUCED = 2
# Pillow's readers for these do not start other programs; EPS and the like are left out.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")
_EXIF_ORIENTATION = 0x0112
# Of oddities, as in EXIF blocks, of files that decode all the same.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
_LIGHT = 224  # grey value from which ink would be lost on white
_JPEG = b"\xff\xd8"
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_BARE = frozenset(bytes([code]) for code in (0x01, *range(0xD0, 0xDA)))  # without a length


class ImageFault(StrEnum):
    """Kinds of files that give no picture, as they are counted."""

    BROKEN = "broken"
    EMPTY = "empty"
    TOO_LARGE = "too large"
    HEIC = "HEIC picture: `pip install 'sbirctl[heic]'` reads it, or convert it to JPEG"


class ImageError(CorruptError):
    """Bytes that give no picture; the message is the reason, without the file's name.

    Attributes:
        kind: of the fault.
    """

    def __init__(
        self, message: str, hint: str = "", *, kind: ImageFault = ImageFault.BROKEN
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind


def load_image(
    data: bytes,
    modality: Modality,
    size: int,
    *,
    max_pixels: int = MAX_PIXELS,
    heic: bool = False,
) -> np.ndarray:
    """Decode one image file and squash it to a square.

    Args:
        data: the bytes of the file; what they are is read from them, not from a file name.
        modality: photos come out in colour, sketches in grey (dark on white stays so).
        size: side of the square in pixels.
        max_pixels: larger pictures are refused before they are decoded.
        heic: also HEIC pictures where pillow-heif is there; for processes that can be stopped.

    Returns:
        (size, size, 3) uint8 for photos, (size, size, 1) uint8 for sketches.

    Raises:
        ImageError: empty, truncated, damaged, too large, or no image.
    """
    return to_pixels(_decode(data, max_pixels, _REDUCED * size, heic), modality, size)


def to_pixels(image: Image.Image, modality: Modality, size: int) -> np.ndarray:
    """A decoded picture of any mode as `load_image` gives it.

    Raises:
        ImageError: its pixels cannot be converted.
    """
    image = _converted(image, "RGB") if modality == "photo" else _sketch(image)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return pixels if modality == "photo" else pixels[:, :, None]


def decode_photo(
    data: bytes, least: int = 0, *, max_pixels: int = MAX_PIXELS, heic: bool = False
) -> Image.Image:
    """Decode one image file to look at: upright, RGB, what is transparent onto white.

    Args:
        data: the bytes of the file.
        least: a JPEG may be decoded at reduced size, with no side below this; 0 for full size.
        max_pixels: larger pictures are refused before they are decoded.
        heic: as for `load_image`.

    Raises:
        ImageError: empty, truncated, damaged, too large, or no image.
    """
    return _converted(_decode(data, max_pixels, least, heic), "RGB")


def count_scans(data: bytes, few: int = MAX_SCANS) -> int:
    """How many scans a JPEG has; what follows its end, a film for instance, does not count.

    Args:
        data: of a file; of one that is no JPEG there are none.
        few: up to so many are not told apart from none.
    """
    if not data.startswith(_JPEG) or _pairs(data, 0xFFDA) <= few:  # quick, and right if so few
        return 0
    count = at = 0
    while (found := _MARKER.search(data, at)) is not None and found[1] != b"\xd9":
        at = found.end()
        if found[1] not in _BARE:  # its length follows
            at += int.from_bytes(data[at : at + 2], "big")
        count += found[1] == b"\xda"
    return count


def is_cheap(data: bytes) -> bool:
    """Whether the size that its header says bounds what decoding a file takes."""
    return not data or (data.startswith(_PLAIN) and count_scans(data, _FEW_SCANS) <= _FEW_SCANS)


def _pairs(data: bytes, pair: int) -> int:
    """How often two bytes stand in `data`; twice as fast as `data.count`."""
    ends = len(data) // 2, (len(data) - 1) // 2
    views = (np.frombuffer(data, ">u2", count, offset) for offset, count in enumerate(ends))
    return sum(int(np.count_nonzero(view == pair)) for view in views)


def decode_sketch(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode one drawing to look at: upright, grey, dark on white, also where its ink is light on
    transparent paper.

    Args:
        data: the bytes of the file.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        ImageError: empty, truncated, damaged, too large, or no image.
    """
    return _sketch(_decode(data, max_pixels))


def _sketch(image: Image.Image) -> Image.Image:
    """In grey; where that is blank because ink and paper are light, the ink's opacity decides."""
    grey = _converted(image, "L")
    if _is_transparent(image) and np.asarray(grey).min(initial=255) >= _LIGHT:
        opacity = _layer(image).getchannel("A")
        values = np.asarray(opacity)
        if values.min() == 0 and values.max() >= 128:
            return ImageOps.invert(opacity)
    return grey


def _open(data: bytes) -> Image.Image:
    if not data:
        raise ImageError("the file is empty", kind=ImageFault.EMPTY)
    # Pillow's own limit warns on stderr before ours is asked; opening reads the header only.
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        return Image.open(io.BytesIO(data), formats=_formats())
    except Exception as error:
        if is_heic(data):
            here = "HEIC picture, which only `index` and `prepare` read: convert it to JPEG"
            what = here if can_be_read() else ImageFault.HEIC
            raise ImageError(f"it is a {what}", kind=ImageFault.HEIC) from error
        raise ImageError("it is no image of a kind that can be read") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _decode(data: bytes, max_pixels: int, least: int = 0, heic: bool = False) -> Image.Image:
    if heic and is_heic(data) and can_be_read():
        return _decode_heic(data, max_pixels)
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            f"it has {width} × {height} pixels, more than the limit of {max_pixels:,}",
            "Make the picture smaller.",
            kind=ImageFault.TOO_LARGE,
        )
    if count_scans(data) > MAX_SCANS:
        raise ImageError(
            f"it has more than {MAX_SCANS} scans",
            "Save the picture anew.",
            kind=ImageFault.TOO_LARGE,
        )
    try:
        if least and min(width, height) >= 2 * least:
            image.draft("RGB", (least, least))  # JPEG only: the nearest eighth that is not below
        image.load()
        return _upright(image)
    except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, …
        raise ImageError(f"it cannot be decoded: {error}") from error


def _decode_heic(data: bytes, max_pixels: int) -> Image.Image:
    try:
        return decode_heic(data, max_pixels)
    except Exception as error:
        raise ImageError(f"it cannot be decoded: {error}") from error


@cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this build of Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _upright(image: Image.Image) -> Image.Image:
    try:
        turned = image.getexif().get(_EXIF_ORIENTATION, 1) != 1
    except Exception:  # a damaged EXIF block does not make the picture unusable
        return image
    return ImageOps.exif_transpose(image) if turned else image


def _converted(image: Image.Image, mode: str) -> Image.Image:
    """A picture of any mode in `mode` (RGB or L), what is transparent onto white.

    Raises:
        ImageError: Pillow cannot, as with a palette that is too short.
    """
    if image.mode == mode and "transparency" not in image.info:
        return image
    try:
        convert = partial(_flatten, mode=mode, top=_top(image))
        if image.width * image.height <= _BAND_PIXELS:
            return convert(image)
        whole = Image.new(mode, image.size)
        for band in _bands(image):
            whole.paste(convert(image.crop(band)), band)
        return whole
    except Exception as error:
        raise ImageError(f"it cannot be decoded: {error}") from error


def _bands(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield 0, top, image.width, min(top + rows, image.height)


def _top(image: Image.Image) -> float:
    """The value that is white, of grey with 16 or 32 bits or a float; 0 for pictures of 8 bits.

    It is the full range of the type, and 1 for floats that are not beyond it.
    """
    if image.mode != "F" and not image.mode.startswith("I"):
        return 0
    most = max(np.nan_to_num(np.asarray(image.crop(band))).max() for band in _bands(image))
    if image.mode == "F":
        return 1 if most <= 1 else 255
    return 2**16 - 1 if most < 2**16 else 2**32 - 1


def _eight_bits(image: Image.Image, top: float) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F":
        values = (np.nan_to_num(values).clip(0, top) * (255 / top)).round()
    else:
        step = int(top) // 255
        values = (values.astype(np.int64).clip(0) + step // 2) // step
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _flatten(image: Image.Image, *, mode: str, top: float) -> Image.Image:
    """To `mode` (RGB or L), what is transparent onto white; `top` as from `_top`."""
    if top:
        image = _eight_bits(image, top)
    if image.mode == "LAB":  # which Pillow turns into RGB alone
        image = image.convert("RGB")
    if _is_transparent(image):
        layer = _layer(image)
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _layer(image: Image.Image) -> Image.Image:
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
