"""HEIC pictures: read where pillow-heif is there, in another process; else the extra is named."""

import io

import numpy as np
import pytest
from PIL import Image

from sbirctl.store import heic, images
from sbirctl.store.bounded import load_bounded
from sbirctl.store.images import ImageError, ImageFault, decode_photo, load_image

BYTES = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)


@pytest.fixture
def picture():
    """A HEIC file, and its pixels."""
    pillow_heif = pytest.importorskip("pillow_heif", "1.8.1")
    cells = np.random.default_rng(1).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    image = Image.fromarray(cells).resize((64, 48), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=95)
    return out.getvalue(), image


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setattr(images, "can_be_read", lambda: False)
    with pytest.raises(ImageError, match=r"pip install 'sbirctl\[heic\]'") as caught:
        load_image(BYTES, "photo", 8, heic=True)
    assert caught.value.kind == ImageFault.HEIC


@pytest.mark.parametrize("version", ["1.8.0", "0.22.0", None])
def test_older_versions_are_taken_for_missing(monkeypatch, version):
    def found(name):
        if version is None:
            raise heic.metadata.PackageNotFoundError(name)
        return version

    heic.can_be_read.cache_clear()
    monkeypatch.setattr(heic.metadata, "version", found)
    try:
        assert not heic.can_be_read()
        monkeypatch.setattr(heic.metadata, "version", lambda _: "1.8.1")
        heic.can_be_read.cache_clear()
        assert heic.can_be_read()
    finally:
        heic.can_be_read.cache_clear()


def test_it_is_read_in_another_process_alone(picture):
    data, image = picture
    square = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC)).astype(int)
    assert abs(load_bounded(data, "photo", 32) - square).mean() < 12
    with pytest.raises(ImageError, match="which only `index` and `prepare` read"):
        load_image(data, "photo", 32)
    with pytest.raises(ImageError, match="which only `index` and `prepare` read"):
        decode_photo(data)  # as an upload is
    with pytest.raises(ImageError, match="more than the limit of 100"):
        load_bounded(data, "photo", 32, max_pixels=100)
    with pytest.raises(ImageError, match="cannot be decoded"):
        load_bounded(BYTES, "photo", 32)


def test_a_library_with_known_holes_is_refused(picture, monkeypatch):
    import pillow_heif

    monkeypatch.setattr(pillow_heif, "libheif_version", lambda: "1.23.0")
    with pytest.raises(ValueError, match="known holes"):
        heic.decode(picture[0], 10**6)
