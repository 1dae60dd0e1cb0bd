"""Galleries searched without torch: a run is exported once, and no two ways are mixed."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from small_gallery import held, photo, picture

from sbirctl.core.config import setting
from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.galleries.gallery import find_gallery
from sbirctl.galleries.searcher import Searcher
from sbirctl.inference.export import ExportError
from sbirctl.models import MODELS
from sbirctl.pipeline.export import export
from sbirctl.pipeline.gallery_model import ModelChoice
from sbirctl.pipeline.index import index

SETTINGS = ("backbone=squeezenet1_1", "size=32", "mirror=false")
MODEL = ModelChoice("baseline", "none", SETTINGS)


class Told(Reporter):
    def __init__(self):
        self.messages = []

    def note(self, message):
        self.messages.append(message)

    warn = note


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a gallery of six photos, made by ONNX Runtime."""
    root = tmp_path_factory.mktemp("runtimes")
    for seed in range(6):
        photo(root / "photos" / f"{seed}.png", seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(root / "home"))
        index([root / "photos"], model=MODEL)
    return root


@pytest.fixture
def world(made, tmp_path, monkeypatch):
    root = Path(shutil.copytree(made, tmp_path / "world"))
    monkeypatch.setenv("SBIRCTL_HOME", str(root / "home"))
    shutil.rmtree(root / "photos")
    (root / "photos").symlink_to(made / "photos")
    return root


def export_of():
    return Path(find_gallery("photos").record.export)


def test_both_runtimes_make_the_same_vectors_and_are_told_apart(made, world):
    index([made / "photos"], name="torch", model=ModelChoice(**{**vars(MODEL), "runtime": "torch"}))
    one, other = find_gallery("photos"), find_gallery("torch")
    assert (one.record.runtime, other.record.runtime) == ("onnx", "torch")
    assert one.record.key != other.record.key
    left, right = held(one.place), held(other.place)
    assert left.keys() == right.keys()
    for name, vector in left.items():
        assert float(vector @ right[name]) >= 0.99998  # both are rounded to half precision


def test_another_runtime_embeds_everything_again(made, world):
    told = Told()
    outcome = index([], name="photos", model=ModelChoice(runtime="torch"), report=told)
    assert outcome.embedded == 6
    assert any("another one than before" in message for message in told.messages)
    assert find_gallery("photos").record.runtime == "torch"
    assert index([], name="photos").embedded == 0


def test_nothing_is_exported_twice(made, world):
    before = export_of() / "photo.onnx"
    told = Told()
    stamp = before.stat().st_mtime_ns
    index([made / "photos"], name="again", model=MODEL, report=told)
    assert not any("exporting" in message for message in told.messages)
    assert before.stat().st_mtime_ns == stamp


def test_an_exported_folder_is_a_model(made, world):
    folder = Path(shutil.copytree(export_of(), world / "elsewhere"))
    index([made / "photos"], name="folder", model=ModelChoice(str(folder)))
    assert find_gallery("folder").record.key == find_gallery("photos").record.key
    with pytest.raises(UsageError, match="torch does not read"):
        index([], name="folder", model=ModelChoice(runtime="torch"))
    with pytest.raises(UsageError, match="own settings"):
        index([], name="folder", model=ModelChoice(str(folder), assignments=("size=64",)))


def test_an_export_that_is_gone_or_changed_is_said_to_be(made, world):
    folder = Path(shutil.copytree(export_of(), world / "elsewhere"))
    index([made / "photos"], name="folder", model=ModelChoice(str(folder)))
    card = folder / "card.toml"
    card.write_text(card.read_text().replace("sha256 = ", 'sha256 = "0"\nother = ', 1))
    with pytest.raises(MismatchError, match="another model"):
        Searcher.open("folder")
    shutil.rmtree(folder)
    with pytest.raises(MissingError, match="is gone") as raised:
        Searcher.open("folder")
    assert "--model" in raised.value.hint
    with pytest.raises(MissingError):
        index([], name="folder")


def test_a_device_is_torchs(made, world):
    with pytest.raises(UsageError, match="ONNX Runtime"):
        Searcher.open("photos", device="cuda")
    with pytest.raises(UsageError, match="ONNX Runtime"):
        index([], name="photos", model=ModelChoice(runtime="onnx"), device="cuda")
    with pytest.raises(UsageError, match="no runtime"):
        index([], name="photos", model=ModelChoice(runtime="onx"))


def test_another_number_format_is_torchs_and_another_model(made, world):
    half = ModelChoice("baseline", "none", (*SETTINGS, "precision=bf16"))
    with pytest.raises(UsageError, match="computes in fp32 here, not in bf16") as caught:
        index([], name="photos", model=half)
    assert "--runtime torch" in caught.value.hint
    keys = []
    for one in (MODEL, half):
        index([], name="photos", model=replace(one, runtime="torch"))
        keys.append(find_gallery("photos").record.key)
    assert keys[0] != keys[1]


def test_what_cannot_be_exported_stays_on_torch_and_says_so(made, world, monkeypatch):
    def refuse(*_, **__):
        raise ExportError("torch cannot export this model: no.", "Leave it on torch.")

    monkeypatch.setattr("sbirctl.inference.export._image_side", refuse)
    other = ModelChoice("baseline", "none", SETTINGS, seed=1)
    told = Told()
    index([made / "photos"], name="stays", model=other, report=told)
    assert any("made by torch" in message for message in told.messages)
    assert find_gallery("stays").record.runtime == "torch"
    assert not [path for path in (world / "home" / "exports").glob(".*") if path.is_dir()]
    asked = ModelChoice(**{**vars(other), "runtime": "onnx"})
    with pytest.raises(ExportError):
        index([made / "photos"], name="stays", model=asked)


def test_search_and_an_index_with_little_new_import_no_torch(made, world):
    picture(3).save(world / "drawing.png")
    (world / "more").mkdir()
    photo(world / "more" / "new.png", 20)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from sbirctl.cli import _app\n"
        "assert _app.run(['index', 'more', '--gallery', 'photos', '--json']) == 0\n"
        "assert _app.run(['search', 'drawing.png', '-k', '2', '--json']) == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=world, capture_output=True, text=True, check=True
    )
    first, _, second = done.stdout.partition("\n}\n")
    assert json.loads(first + "}")["embedded"] == 1
    assert len(json.loads(second)["rows"][0]["photos"]) == 2


def test_a_drawing_is_given_at_the_size_the_sketch_side_takes(made, world):
    searcher = Searcher.open("photos")
    searcher.embedder.encoder.sizes["sketch"] = 24
    assert searcher.embedder.pixels(picture(1), "sketch").shape == (24, 24, 1)
    assert searcher.embedder.pixels(picture(1), "photo").shape == (32, 32, 3)


@pytest.mark.slow
def test_the_same_model_gives_the_same_files(made, world):
    again = export("baseline", output=world / "b", assignments=SETTINGS, weights="none")
    for name in ("photo.onnx", "sketch.onnx"):
        assert (again / name).read_bytes() == (export_of() / name).read_bytes()


def test_a_model_that_never_saw_a_sketch_is_warned_of(made, world):
    told = Told()
    index([made / "photos"], name="warned", model=MODEL, report=told)
    assert any("never trained on sketches" in message for message in told.messages)


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_an_earlier_name_of_a_setting_is_told_once(made, world, monkeypatch, runtime):
    baseline = MODELS.get("baseline")

    @dataclass(frozen=True)
    class Renamed(baseline.Settings):
        size: int = setting(32, help="side of the input", aliases=("side",))

    monkeypatch.setattr(baseline, "Settings", Renamed)
    settings = ("backbone=squeezenet1_1", "side=32", "mirror=false")
    told = Told()
    choice = ModelChoice("baseline", "none", settings, runtime=runtime)
    index([made / "photos"], name="other", model=choice, report=told)
    assert told.messages.count("the setting side is called size now") == 1


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ({}, "clip-vit-b32-laion2b"),
        ({"weights": "pretrained"}, "pretrained"),
        ({"weights": "clip-vit-b32-openai"}, "clip-vit-b32-openai"),
        ({"assignments": ["backbone.pretrained=openai"]}, ""),
    ],
)
def test_clip_starts_from_the_weights_for_search_where_nobody_says(monkeypatch, given, weights):
    from sbirctl.pipeline import gallery_model

    asked = []
    monkeypatch.setattr(gallery_model, "_as_it_comes", lambda choice, *more: asked.append(choice))
    gallery_model._chosen(gallery_model.ModelChoice("clip", **given), None, "cpu", SILENT)
    assert [(one.name, one.weights) for one in asked] == [("clip", weights)]
