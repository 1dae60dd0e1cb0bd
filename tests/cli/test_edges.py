"""`sbirctl edges`, run as a person runs it."""

import numpy as np
import pytest
from PIL import Image

from sbirctl.cli._app import run


@pytest.fixture
def photos(tmp_path):
    y, x = np.mgrid[:40, :56]
    paths = []
    for radius in (8, 14):
        pixels = np.full((40, 56, 3), (30, 60, 160), dtype=np.uint8)
        pixels[(y - 20) ** 2 + (x - 28) ** 2 < radius**2] = (240, 200, 60)
        paths.append(tmp_path / f"disc {radius}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def sbirctl(*words):
    return run([str(word) for word in words])


def test_the_sheet_shows_photo_strength_edges_and_canny(photos, tmp_path, capfd):
    sheet = tmp_path / "sheet.png"
    assert sbirctl("edges", *photos, "-o", sheet, "--size", 64, "--device", "cpu") == 0
    assert capfd.readouterr().out == f"{sheet}\n"
    pixels = np.array(Image.open(sheet).convert("RGB")).astype(int)
    assert pixels.shape == (28 + 2 * (64 + 28), 4 * (64 + 8) + 8, 3)
    cells = [pixels[28:92, 8 + c * 72 : 72 + c * 72] for c in range(4)]
    assert abs(cells[0][32, 32] - (240, 200, 60)).max() <= 3
    for cell in cells[1:]:
        assert cell[32, 32].min() > 245  # no edge within the disc
        ring = cell[15:50, 20:46]
        assert ring.min() < 100


def test_the_same_command_makes_the_same_bytes(photos, tmp_path):
    made = []
    for name in ("a.png", "b.png"):
        assert sbirctl("edges", photos[0], "-o", tmp_path / name, "--size", 32) == 0
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


def test_parameters_reach_the_method(photos, tmp_path):
    words = ("edges", photos[0], "--size", 48, "--method", "gb-color")
    assert sbirctl(*words, "-o", tmp_path / "a.png") == 0
    assert sbirctl(*words, "-o", tmp_path / "b.png", "--set", "radius=0.1") == 0
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_an_unreadable_image_is_left_out_and_said(photos, tmp_path, capfd):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not a picture")
    words = ("--method", "gb-color", "--size", 32, "-o", tmp_path / "sheet.png")
    assert sbirctl("edges", bad, photos[0], *words) == 0
    assert "bad.jpg is left out" in capfd.readouterr().err
    assert sbirctl("edges", bad, *words) == 3
    assert "No image could be read" in capfd.readouterr().err


@pytest.mark.parametrize(
    "words, code, said",
    [
        (("nowhere.jpg",), 3, "nowhere.jpg"),
        (("{photo}", "--method", "gb-colour"), 2, "gb-color"),
        (("{photo}", "--set", "radiuss=1"), 2, "radius"),
        (("{photo}", "-o", "sheet.bmp"), 2, ".png"),
    ],
)
def test_mistakes_say_what_to_type(words, code, said, photos, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sbirctl("edges", *(w.format(photo=photos[0]) for w in words)) == code
    captured = capfd.readouterr()
    assert captured.out == ""
    assert said in captured.err
