"""The model that comes with the program: taken where there is no run, without torch, checked."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from small_gallery import photo, picture

from sbirctl.core.errors import CorruptError, UsageError
from sbirctl.galleries import embedder
from sbirctl.galleries.gallery import find_gallery
from sbirctl.galleries.searcher import Searcher
from sbirctl.inference import onnx
from sbirctl.inference.onnx import OnnxEncoder
from sbirctl.pipeline.gallery_model import ModelChoice
from sbirctl.pipeline.index import index


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    for seed in range(3):
        photo(tmp_path / "photos" / f"{seed}.png", seed)
    drawing = Image.new("L", (200, 200), "white")
    ImageDraw.Draw(drawing).ellipse((40, 60, 150, 160), outline=0, width=4)
    drawing.save(tmp_path / "drawing.png")
    return tmp_path


def test_on_a_fresh_machine_two_commands_find_a_photo_without_torch(world):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from sbirctl.cli import _app\n"
        "assert _app.run(['index', 'photos']) == 0\n"
        "assert _app.run(['search', '--photo', 'photos/2.png', '-k', '1']) == 0\n"
        "assert _app.run(['search', 'drawing.png', '--json']) == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=world, capture_output=True, text=True, check=True
    )
    place, first, drawn = done.stdout.split("\n", 2)
    assert place == str(world / "home" / "galleries" / "photos")
    assert first == str(world / "photos" / "2.png")
    assert len(json.loads(drawn)["rows"][0]["photos"]) == 3
    assert "the model starter" in done.stderr


def test_its_folder_is_small_and_its_card_says_what_it_is():
    files = list(onnx.STARTER_FOLDER.iterdir())
    assert sum(path.stat().st_size for path in files) < 20_000_000
    card = OnnxEncoder(onnx.STARTER_FOLDER).card
    assert card["model"] == onnx.STARTER
    assert 0 < card["dim"] <= 512
    assert card["zero_shot"]["is"] is False
    assert all(0 < one["chance"] < one["prec_at_10"] < 1 for one in card["figures"])
    assert {one["licence"].split(";")[0] for one in card["licences"]} == {
        "Apache-2.0",
        "CC BY 4.0",
        "MIT",
        "WordNet 3.0",
    }
    assert card["limits"]["bad_at"]


def test_a_gallery_does_not_name_where_the_program_lies(world):
    index([world / "photos"])
    record = find_gallery("photos").record
    assert (record.name, record.export, record.checkpoint) == ("starter", "", "")


def test_a_damaged_starter_is_refused(world, monkeypatch):
    copied = Path(shutil.copytree(onnx.STARTER_FOLDER, world / "starter"))
    for module in (onnx, embedder):
        monkeypatch.setattr(module, "STARTER_FOLDER", copied)
    index([world / "photos"])
    weights = copied / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptError, match=r"weights\.bin"):
        Searcher.open().embed(picture(1), "sketch")


def test_torch_does_not_run_it(world):
    with pytest.raises(UsageError, match="torch does not read"):
        index([world / "photos"], model=ModelChoice(runtime="torch"))
    with pytest.raises(UsageError, match="torch does not read"):
        index([world / "photos"], model=ModelChoice("starter"), device="cuda")


def test_a_gallery_of_it_keeps_it_and_one_of_another_model_keeps_that(world):
    copied = Path(shutil.copytree(onnx.STARTER_FOLDER, world / "other"))
    card = copied / "card.toml"
    card.write_text(card.read_text().replace('model = "starter"', 'model = "other"', 1))
    index([world / "photos"], model=ModelChoice(str(copied)))
    photo(world / "photos" / "new.png", 9)
    assert index([world / "photos"]).embedded == 1
    assert find_gallery("photos").record.name == "other"
    assert index([], name="photos", model=ModelChoice("starter")).embedded == 0  # equal files
    assert find_gallery("photos").record.name == "starter"
