"""The store's half of preprocessing: image bytes of any kind to a square uint8 array.

Every photo and drawing, inside a store or fresh, passes through `load_image`: EXIF orientation,
first frame of animations, 16 bits to 8 by their full range, transparency onto white, conversion to
RGB (photos) or grey (sketches, ITU-R 601 luma), and a squash to a square with antialiased bicubic.
JPEGs much larger than that square are decoded at reduced size.
Colour profiles are not applied.
"""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageOps

from sbirctl.core.errors import CorruptError
from sbirctl.store.manifest import Modality

MAX_PIXELS = 80_000_000
# A JPEG is decoded with no side below this many times the square's, which is four to eight times as
# fast for photos of 12 megapixels and moves a network's vector by a cosine of 1 - 3e-4 at most.
_REDUCED = 2
# Pillow's readers for these do not start other programs; EPS and the like are left out.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")
_EXIF_ORIENTATION = 0x0112
_LIGHT = 224  # grey value from which ink would be lost on white


class ImageError(CorruptError):
    """Bytes that give no picture; the message is the reason, without the file's name."""


def load_image(
    data: bytes, modality: Modality, size: int, *, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Decode one image file and squash it to a square.

    Args:
        data: the bytes of the file; what they are is read from them, not from a file name.
        modality: photos come out in colour, sketches in grey (dark on white stays so).
        size: side of the square in pixels.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        (size, size, 3) uint8 for photos, (size, size, 1) uint8 for sketches.

    Raises:
        ImageError: empty, truncated, damaged, too large, or no image.
    """
    return to_pixels(_decode(data, max_pixels, _REDUCED * size), modality, size)


def to_pixels(image: Image.Image, modality: Modality, size: int) -> np.ndarray:
    """A decoded picture of any mode as `load_image` gives it."""
    image = _flatten(_eight_bits(image), "RGB") if modality == "photo" else _sketch(image)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return pixels if modality == "photo" else pixels[:, :, None]


def decode_photo(data: bytes, least: int = 0, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode one image file to look at: upright, RGB, what is transparent onto white.

    Args:
        data: the bytes of the file.
        least: a JPEG may be decoded at reduced size, with no side below this; 0 for full size.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        ImageError: empty, truncated, damaged, too large, or no image.
    """
    return _flatten(_eight_bits(_decode(data, max_pixels, least)), "RGB")


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
    image = _eight_bits(image)
    if _is_transparent(image):
        ink, opaque = np.asarray(_layer(image).convert("LA")).transpose(2, 0, 1)
        if (opaque == 0).any() and (opaque > 0).any() and (ink[opaque > 0] >= _LIGHT).all():
            return Image.fromarray(255 - opaque)
    return _flatten(image, "L")


def _open(data: bytes) -> Image.Image:
    if not data:
        raise ImageError("the file is empty")
    # Pillow's own limit warns on stderr before ours is asked; opening reads the header only.
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        return Image.open(io.BytesIO(data), formats=_formats())
    except Exception as error:
        raise ImageError("it is no image of a kind that can be read") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _decode(data: bytes, max_pixels: int, least: int = 0) -> Image.Image:
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            f"it has {width} × {height} pixels, more than the limit of {max_pixels:,}",
            "Make the picture smaller.",
        )
    try:
        if least and min(width, height) >= 2 * least:
            image.draft("RGB", (least, least))  # JPEG only: the nearest eighth that is not below
        image.load()
        return _upright(image)
    except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, …
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


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey with 16 or 32 bits to 8: the full range of the type, or 0 to 1 for floats."""
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image))
        top = 1.0 if values.max(initial=0) <= 1 else 255.0
        return Image.fromarray((values.clip(0, top) * (255 / top)).round().astype(np.uint8))
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64)
        shift = 257 if wide.max(initial=0) <= 65535 else 16843009  # 65535 / 255, (2**32 - 1) / 255
        return Image.fromarray(((wide.clip(0) + shift // 2) // shift).clip(0, 255).astype(np.uint8))
    return image


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """To `mode` (RGB or L), what is transparent onto white."""
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
