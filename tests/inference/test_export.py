"""Exported models: the vectors of torch, for every registered model; damaged folders refused."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import small

from sbirctl.core.config import to_dict
from sbirctl.core.errors import CorruptError, MismatchError, MissingError, UsageError
from sbirctl.core.progress import Reporter
from sbirctl.inference.export import (
    LEAST_COSINE,
    ExportError,
    ExportOrigin,
    _image_side,
    export,
    write_side,
)
from sbirctl.inference.onnx import OnnxEncoder
from sbirctl.models import MODELS

SIZE = 40  # of the store; the models take 32
# Fewer layers than in the other tests: exporting costs seconds a side.
LIGHT = {
    "baseline": {
        "backbone": "resnet10t",
        "embed_size": 64,
        "level": 4,
        "grid": 2,
        "modality_norm": True,
    },
    "ffmln": {"backbone": "resnet10t"},
}


def model_of(name: str, **more: object):
    settings = {**LIGHT.get(name, {}), **more}
    return small(name, settings=settings).eval()


def written(model, folder: Path, **options: bool) -> Path:
    origin = ExportOrigin("toy", "d" * 64, SIZE, to_dict(model.settings), {"task": "cg"})
    return export(model, origin, folder, **options)


@pytest.fixture(
    scope="module",
    params=[
        name if name == "baseline" else pytest.param(name, marks=pytest.mark.slow)
        for name in MODELS.names()
        if name != "semi3"
    ],
)
def pair(request, baseline, tmp_path_factory):
    """A model and its export."""
    if request.param == "baseline":
        return baseline
    model = model_of(request.param, mirror=False)
    return model, written(model, tmp_path_factory.mktemp("export") / request.param)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """The baseline and its export, made once: it takes seconds."""
    model = model_of("baseline", mirror=True)
    return model, written(model, tmp_path_factory.mktemp("one") / "baseline")


def pixels_of(modality: str, count: int) -> np.ndarray:
    draws = np.random.default_rng(count)
    channels = 3 if modality == "photo" else 1
    return draws.integers(0, 256, (count, SIZE, SIZE, channels), dtype=np.uint8)


@pytest.mark.parametrize("modality", ["photo", "sketch"])
@pytest.mark.parametrize("count", [1, 5, 19])
def test_vectors_are_those_of_torch(pair, modality, count):
    model, folder = pair
    pixels = pixels_of(modality, count)
    with torch.inference_mode():
        own = model.embed(torch.from_numpy(pixels).permute(0, 3, 1, 2), modality).numpy()
    found = OnnxEncoder(folder).embed(pixels, modality)
    assert found.dtype == np.float32
    assert found.shape == own.shape
    assert float((own * found).sum(1).min()) >= LEAST_COSINE
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["clipat", "splip"])
def test_prompts_do_not_fix_the_number_of_pictures(name):
    side = _image_side(model_of(name), "photo", SIZE)
    example = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    free = torch.export.Dim("n", min=1, max=1 << 20)
    program = torch.export.export(side, (example,), dynamic_shapes=({0: free},))
    (given,) = (n for n in program.graph.nodes if n.name == program.graph_signature.user_inputs[0])
    assert not isinstance(given.meta["val"].shape[0], int)


class Fixed(torch.nn.Module):
    """`len` of a tensor is a number to Python, and so to the exporter."""

    def forward(self, pixels):
        return pixels.float() + torch.zeros(len(pixels), 3)


class Free(torch.nn.Module):
    def forward(self, pixels):
        return pixels.flatten(1).float()


def test_a_network_that_fixes_the_number_of_pictures_is_told(tmp_path):
    example = torch.zeros(2, 3, dtype=torch.uint8)
    assert write_side(Free(), tmp_path / "free.onnx", example) == 0
    assert write_side(Fixed(), tmp_path / "fixed.onnx", example) == 2


def test_a_fixed_number_is_said_and_kept(tmp_path, monkeypatch):
    listener = Listener()
    monkeypatch.setattr("sbirctl.inference.export.write_side", fixing(write_side))
    origin = ExportOrigin("toy", "d" * 64, SIZE, {}, {})
    folder = export(model_of("baseline"), origin, tmp_path / "e", listener)
    card = tomllib.loads((folder / "card.toml").read_text())
    assert [card["files"][m]["batch"] for m in ("photo", "sketch")] == [2, 2]
    assert [said.partition(" at a time")[0] for said in listener.warnings] == [
        "photo.onnx takes 2",
        "sketch.onnx takes 2",
    ]


def fixing(write):
    def told(*arguments, **more):
        write(*arguments, **more)
        return 2

    return told


class Listener(Reporter):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


def test_texts_are_those_of_torch(pair):
    model, folder = pair
    encoder = OnnxEncoder(folder)
    if not encoder.has_text:
        with pytest.raises(UsageError, match="text"):
            encoder.embed_text(["cat"])
        return
    texts = ["a photo of a cat", "Ünïcode ☃", ""]
    with torch.inference_mode():
        own = model.embed_text(texts).numpy()
    assert float((own * encoder.embed_text(texts)).sum(1).min()) >= LEAST_COSINE


def test_the_card_says_what_it_is(pair):
    _, folder = pair
    card = tomllib.loads((folder / "card.toml").read_text())
    assert card["parity"]["worst_cosine"] >= LEAST_COSINE
    assert (card["files"]["photo"]["size"], card["provenance"]["task"]) == (SIZE, "cg")


def test_a_model_that_reads_edge_maps_stays_on_torch(tmp_path):
    with pytest.raises(ExportError, match="edge maps"):
        written(model_of("semi3"), tmp_path / "semi3")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("int8", [False, True])
def test_vectors_that_are_no_numbers_are_refused(tmp_path, int8):
    model = model_of("baseline")
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(ExportError, match="no numbers"):
        written(model, tmp_path / "nan", int8=int8)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def folder(baseline):
    return baseline[1]


@pytest.fixture
def copied(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_a_changed_file_is_refused(copied):
    path = copied / "photo.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptError, match="card"):
        OnnxEncoder(copied).embed(pixels_of("photo", 1), "photo")
    path.unlink()
    with pytest.raises(CorruptError, match="missing"):
        OnnxEncoder(copied).embed(pixels_of("photo", 1), "photo")


@pytest.mark.parametrize("text", ["", "schema = 1\n", "a = [", "schema = 1\ndim = 'x'\n"])
def test_a_damaged_card_is_refused(copied, text):
    (copied / "card.toml").write_text(text)
    with pytest.raises(CorruptError):
        OnnxEncoder(copied)


def test_newer_and_missing_exports_are_told_apart(copied, tmp_path):
    card = (copied / "card.toml").read_text().replace("schema = 1", "schema = 99")
    (copied / "card.toml").write_text(card)
    with pytest.raises(MismatchError, match="newer"):
        OnnxEncoder(copied)
    with pytest.raises(MissingError) as caught:
        OnnxEncoder(tmp_path / "nowhere")
    assert "sbirctl export" in caught.value.hint


def test_pixels_of_another_size_are_refused(folder):
    with pytest.raises(MismatchError, match="40 x 40"):
        OnnxEncoder(folder).embed(np.zeros((1, 32, 32, 3), np.uint8), "photo")


def test_reading_needs_no_torch(folder):
    import subprocess

    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np; from pathlib import Path\n"
        "from sbirctl.inference.onnx import OnnxEncoder\n"
        f"e = OnnxEncoder(Path({str(folder)!r}))\n"
        f"print(e.embed(np.zeros((2, {SIZE}, {SIZE}, 1), np.uint8), 'sketch').shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(2, 8)"
