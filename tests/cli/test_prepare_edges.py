"""`sbirctl prepare --edges`, run as a person runs it."""

import numpy as np
import pytest
import torch
from PIL import Image

from sbirctl.cli._app import run
from sbirctl.edges import edge_maps
from sbirctl.store.reader import Store


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    generator = np.random.default_rng(0)
    for side in ("p", "s"):
        for kind in ("cat", "dog"):
            (tmp_path / side / kind).mkdir(parents=True)
            for i in range(3):
                blocks = generator.integers(0, 256, (3, 3, 3), dtype=np.uint8)
                picture = Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8)))
                picture.save(tmp_path / side / kind / f"{i}.png")
    words = ["prepare", "folder", "--name", "mine", "--size", "24", "--workers", "1"]
    return [*words, "--photos", f"{tmp_path}/p", "--sketches", f"{tmp_path}/s"]


def sbirctl(*words):
    return run([str(word) for word in words])


def test_maps_are_those_of_the_photos_in_the_store(own, capfd):
    assert sbirctl(*own, "--edges", "gb-color", "--edges-set", "chroma=1.5") == 0
    store = Store.open("mine")
    assert capfd.readouterr().out == f"{store.folder}\n"
    photos = torch.from_numpy(store.read("photo", range(6))).permute(0, 3, 1, 2)
    expected = edge_maps(photos, "gb-color", chroma=1.5).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(store.read_edges(range(6)), expected)
    assert (expected < 255).any()
    assert store.edges.parameters["chroma"] == 1.5


def test_maps_can_be_added_to_a_prepared_store_and_changed(own):
    assert sbirctl(*own) == 0
    assert Store.open("mine").edges is None
    assert sbirctl(*own, "--edges", "canny") == 0
    assert Store.open("mine").edges.method == "canny"
    assert sbirctl(*own, "--edges", "gb") == 0
    assert Store.open("mine").edges.method == "gb"


def test_maps_made_elsewhere(own, tmp_path):
    for path in (tmp_path / "p").rglob("*.png"):
        target = tmp_path / "maps" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (24, 24), 222).save(target)
    assert sbirctl(*own, "--edges-from", tmp_path / "maps") == 0
    assert (Store.open("mine").read_edges([0, 5]) == 222).all()


@pytest.mark.parametrize(
    "words, said",
    [
        (("--edges", "gbb"), "gb"),
        (("--edges", "gb", "--edges-set", "radiuss=1"), "radius"),
        (("--edges-set", "radius=1"), "--edges gb"),
        (("--edges-from", "x", "--edges", "gb"), "Leave out --edges"),
        (("--edges", "canny", "--device", "gpu"), "no device 'gpu'"),
        (("--edges", "canny", "--device", "cuda:99"), "no device 'cuda:99'"),
        (("--device", "cpu"), "--device is for edge maps"),
    ],
)
def test_mistakes_are_found_before_the_images_are_read(words, said, own, tmp_path, capfd):
    assert sbirctl(*own, *words) == 2
    assert said in capfd.readouterr().err
    assert not (tmp_path / "home" / "datasets").exists()


def test_a_folder_of_maps_that_is_not_there_is_found_before_the_images_are_read(own, tmp_path):
    assert sbirctl(*own, "--edges-from", tmp_path / "nowhere") == 3
    assert not (tmp_path / "home").exists()


def test_an_estimate_comes_first_when_it_may_be_long(own, monkeypatch, capfd):
    assert sbirctl(*own, "--edges", "gb-color") == 0
    assert "about" not in capfd.readouterr().err
    monkeypatch.setattr("sbirctl.pipeline.edges.WORTH_AN_ESTIMATE", 6)
    assert sbirctl(*own, "--edges", "canny") == 0
    assert "Edge maps of 6 photos by canny: about 0 seconds." in capfd.readouterr().err
    assert sbirctl(*own, "--edges", "canny") == 0
    assert "about" not in capfd.readouterr().err
