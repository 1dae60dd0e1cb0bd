"""A data set embedded with the starter: as `search` sees it, and marked as not zero-shot."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sbirctl.cli import _app
from sbirctl.drawings.placement import ink_box, normalize_placement
from sbirctl.inference import onnx
from sbirctl.inference.onnx import OnnxEncoder
from sbirctl.retrieval.embeddings import read
from sbirctl.store.images import to_pixels


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("starter")
    for number, name in enumerate(("ball", "box", "bar", "dot")):
        for kind in ("photos", "sketches"):
            (root / kind / name).mkdir(parents=True)
        for turn in range(3):
            image = Image.new("RGB", (48, 48), (60 * number, 80 * turn, 120))
            ImageDraw.Draw(image).ellipse((8 + turn, 9, 40, 40), fill="white")
            image.save(root / "photos" / name / f"{turn}.png")
            sketch = Image.new("L", (48, 48), 255)
            ImageDraw.Draw(sketch).rectangle((5, 6, 20 + 5 * number, 25 + turn), outline=0)
            sketch.save(root / "sketches" / name / f"{turn}.png")
    (root / "unseen.txt").write_text("bar\ndot\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(root / "home"))
        patch.chdir(root)
        words = "prepare folder --photos photos --sketches sketches --name toys --size 48"
        assert _app.run([*words.split(), "--workers", "1"]) == 0
        yield root


@pytest.fixture
def run(place, monkeypatch, capfd):
    monkeypatch.setenv("SBIRCTL_HOME", str(place / "home"))
    monkeypatch.chdir(place)

    def run(*words):
        code = _app.run(list(words))
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def test_vectors_are_those_of_search_and_figures_are_marked(run, place):
    words = ["embed", "starter", "--dataset", "toys", "--split", "unseen.txt", "-o", "e.h5"]
    assert run(*words)[0] == 0
    made = read(place / "e.h5")
    assert (made.model, len(made.query), len(made.gallery)) == ("starter", 6, 6)
    encoder = OnnxEncoder(onnx.STARTER_FOLDER)
    with Image.open(place / "sketches" / "bar" / "0.png") as image:
        placed = normalize_placement(image.convert("L"), encoder.placement)
    assert ink_box(np.asarray(placed)).longer / placed.width == pytest.approx(0.9, abs=0.03)
    sketch = encoder.embed(to_pixels(placed, "sketch", encoder.sizes["sketch"])[None], "sketch")
    assert float((made.query @ sketch[0]).max()) == pytest.approx(1, abs=1e-5)
    with Image.open(place / "photos" / "dot" / "2.png") as image:
        pixels = to_pixels(image, "photo", encoder.sizes["photo"])
    photo = encoder.embed(pixels[None], "photo")
    assert float((made.gallery @ photo[0]).max()) == pytest.approx(1, abs=1e-5)
    code, out, err = run("evaluate", "e.h5", "--metric", "map@all")
    assert code == 0
    assert "map@all" in out
    assert "Not zero-shot" in err


def test_settings_of_an_exported_model_are_its_own(run):
    code, _, err = run("embed", "starter", "--dataset", "toys", "--set", "size=64")
    assert code == 2
    assert "own settings" in err
