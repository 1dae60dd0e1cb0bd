"""`sbirctl.load`: runs, checkpoints, exports and the starter embed as the rooms below do."""

import numpy as np
import pytest
from PIL import Image

import sbirctl
from sbirctl.inference.encoder import Encoder
from sbirctl.inference.onnx import STARTER_FOLDER, OnnxEncoder
from sbirctl.store.images import to_pixels

RNG = np.random.default_rng(0)
SMALL = {"backbone": "resnet10t", "size": 32, "mirror": False}


def pictures(n, side=48):
    return [Image.fromarray(RNG.integers(0, 256, (side, side + 9, 3), np.uint8)) for _ in range(n)]


def test_the_starter_embeds_pictures_of_any_kind_alike(tmp_path):
    model = sbirctl.load("starter")
    assert model.embed([], "photo").shape == (0, model.dim)
    images = pictures(3)
    size = model.sizes["photo"]
    pixels = np.stack([to_pixels(image, "photo", size) for image in images])
    expected = OnnxEncoder(STARTER_FOLDER).embed(pixels, "photo")
    files = []
    for number, image in enumerate(images):
        files.append(tmp_path / f"{number}.png")
        image.save(files[-1])
    for given in (images, files, [str(f) for f in files], [np.asarray(i) for i in images], pixels):
        np.testing.assert_allclose(model.embed(given, "photo"), expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)
    grey = [image.convert("L") for image in images]
    drawn = model.embed(grey, "sketch")
    np.testing.assert_allclose(
        model.embed([np.asarray(one) for one in grey], "sketch"), drawn, atol=1e-6
    )
    assert str(model.dim) in repr(model)
    encoder: Encoder = model
    assert (encoder.device, encoder.has_text) == ("cpu", False)


def test_more_pictures_than_a_batch_are_all_embedded():
    model = sbirctl.load("baseline", weights="none", device="cpu", **SMALL)
    pixels = RNG.integers(0, 256, (150, 32, 32, 1), np.uint8)
    found = model.embed(pixels, "sketch")
    assert found.shape == (150, model.dim)
    np.testing.assert_allclose(found[149:], model.embed(pixels[149:], "sketch"), atol=1e-5)


@pytest.mark.slow
def test_an_export_embeds_as_the_model_it_was_made_of(tmp_path):
    from sbirctl.pipeline.export import export

    settings = ["backbone=resnet10t", "size=32", "mirror=false"]
    folder = export("baseline", output=tmp_path / "made", assignments=settings, weights="none")
    model = sbirctl.load("baseline", weights="none", device="cpu", **SMALL)
    images = pictures(4)
    np.testing.assert_allclose(
        sbirctl.load(folder).embed(images, "photo"), model.embed(images, "photo"), atol=1e-4
    )
    with pytest.raises(sbirctl.SbirctlError, match="has its own settings"):
        sbirctl.load(folder, size=64)


def test_what_is_no_picture_is_refused(tmp_path):
    model = sbirctl.load("starter")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 no")
    for given, message in [
        ([np.zeros((8, 8, 3))], "uint8"),
        (np.zeros((2, 3, 8, 8), np.uint8), "no picture"),
        ("one.png", "several pictures"),
        (b"\x89PNG", "several pictures"),
        (Image.new("RGB", (8, 8)), "several pictures"),
        (np.zeros((8, 8, 3), np.uint8), "may be one picture"),
        ([tmp_path / "none.png"], "no file"),
        ([broken], r"broken\.jpg gives no picture"),
    ]:
        with pytest.raises(sbirctl.SbirctlError, match=message):
            model.embed(given, "photo")
    with pytest.raises(sbirctl.SbirctlError, match="no modality"):
        model.embed(pictures(1), "drawing")
    with pytest.raises(sbirctl.SbirctlError, match="no text tower"):
        model.embed_text(["a cat"])
    with pytest.raises(sbirctl.SbirctlError, match="'strater'"):
        sbirctl.load("strater")
    with pytest.raises(sbirctl.SbirctlError, match="Which model"):
        sbirctl.load("")
