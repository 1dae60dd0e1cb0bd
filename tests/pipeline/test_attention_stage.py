"""The attention sheet: from a checkpoint and pictures to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sbirctl.cli import _app
from sbirctl.core.errors import MissingError, UsageError
from sbirctl.models import create
from sbirctl.pipeline.attention import attention
from sbirctl.pipeline.pictures import guess_modality
from sbirctl.report.attention import AttentionRow, attention_sheet
from sbirctl.retrieval.provenance import Provenance
from sbirctl.training.checkpoint import save_checkpoint
from sbirctl.training.inputs import DataRecord

TINY = {
    "backbone": "resnet18",
    "size": 32,
    "dim": 4,
    "width": 8,
    "depth": 1,
    "heads": 2,
    "patch": 2,
}


def checkpoint(folder: Path, name: str, settings: dict[str, Any]) -> Path:
    model = create(name, device="cpu", weights="none", classes=("a", "b"), layers=[settings])
    path = folder / f"{name}.safetensors"
    inputs = {"dataset": "x", "target": "", "task": "cg", "split": "", "options": {}}
    data = DataRecord(
        inputs, {}, {"store": "ab", "target": "", "split": ""}, store_settings={"size": 48}
    )
    save_checkpoint(path, model, Provenance(seed=0), data)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint of a model with attention."""
    return str(checkpoint(tmp_path_factory.mktemp("ffmln"), "ffmln", TINY))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)).save(tmp_path / "p.png")
    paper = np.full((40, 40), 255, np.uint8)
    paper[10:30, 20] = 0
    Image.fromarray(paper).save(tmp_path / "s.png")
    return [tmp_path / "p.png", tmp_path / "s.png"]


def test_a_sheet_is_drawn_and_its_path_printed(
    tmp_path: Path, trained: str, pictures: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "out.png"
    words = ["attention", trained, *map(str, pictures), "-o", str(sheet), "--device", "cpu"]
    assert _app.run(words) == 0
    said = capsys.readouterr()
    assert said.out == f"{sheet}\n"
    assert "one token" in said.err
    with Image.open(sheet) as image:
        assert image.width > 7 * image.height / 3


def test_equal_calls_give_equal_bytes(tmp_path: Path, trained: str, pictures: list[Path]) -> None:
    files = [attention(trained, pictures, tmp_path / f"{i}.svg", device="cpu") for i in range(2)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_models_without_attention_and_missing_pictures(
    tmp_path: Path, trained: str, pictures: list[Path]
) -> None:
    plain = {"backbone": "resnet18", "size": 32, "dim": 4}
    other = str(checkpoint(tmp_path, "baseline", plain))
    with pytest.raises(UsageError, match="baseline has no attention"):
        attention(other, pictures, tmp_path / "x.png", device="cpu")
    with pytest.raises(UsageError, match=r"x\.gif"):
        attention(trained, pictures, tmp_path / "x.gif", device="cpu")
    with pytest.raises(MissingError, match="There is no file"):
        attention(trained, [tmp_path / "none.png"], tmp_path / "x.png", device="cpu")
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(MissingError, match="No image could be read"):
        attention(trained, [tmp_path / "bad.png"], tmp_path / "x.png", device="cpu")


def test_a_modality_is_guessed_by_colour_and_paper() -> None:
    paper = np.full((20, 20, 3), 255, np.uint8)
    paper[5:8, 5:8] = 0
    assert guess_modality(paper) == "sketch"
    assert guess_modality(paper // 2) == "photo"
    paper[:4, :, 0] = 100
    assert guess_modality(paper) == "photo"


def test_headings_say_what_is_constant() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    maps = [np.ones((4, 4)), np.arange(4.0).reshape(2, 2)]
    row = AttentionRow("x", image, maps, [np.eye(2), np.ones((1, 1))])
    figure = attention_sheet([row, row], ["stage 3", "stage 4"])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:5] == [
        "image",
        "stage 3, energy\n4x4",
        "stage 3, class token\n2x2 tokens",
        "stage 4, energy\n2x2",
        "stage 4, class token\none token: constant",
    ]
    assert len(figure.axes) == 10
    shown = np.asarray(figure.axes[2].images[1].get_array())
    assert shown.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert np.asarray(figure.axes[4].images[1].get_array()).tolist() == [[0.5]]
    without = AttentionRow("x", image, maps, [None, None])
    assert len(attention_sheet([without], ["a", "b"]).axes) == 3


def test_a_models_name_is_answered_with_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert _app.run(["attention", "ffmln", "x.png"]) == 3
    said = capsys.readouterr().err
    assert "'ffmln' is a model; a run of it is needed." in said
    assert "sbirctl train ffmln" in said


def test_odd_names_of_pictures_are_text_within_the_sheet() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    maps = [np.eye(4)]
    rows = [AttentionRow(name, image, maps, [None]) for name in ("$x_1$", "long name " * 30)]
    figure = attention_sheet(rows, ["stage1"])
    figure.draw_without_rendering()
    shown = list(figure.texts)
    assert shown[0].get_text() == "$x_1$"
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in shown)
