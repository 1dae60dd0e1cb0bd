"""Fixtures: the tiny world in memory, and a small prepared data set."""

import numpy as np
import pytest
import tiny_world
from PIL import Image

from sbirctl.pipeline.prepare import prepare
from sbirctl.splits.store_lists import UnseenChoice


@pytest.fixture
def store():
    return tiny_world.FakeStore()


@pytest.fixture
def partition(store):
    return tiny_world.make_partition(store)


@pytest.fixture
def make_model(partition):
    """A function of settings."""
    return lambda **settings: tiny_world.make_tiny(partition.train.classes, **settings)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Folder of prepared data sets with one of eight classes: `small`, two of them unseen."""
    root = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(0)
    for modality in ("photo", "sketch"):
        for label in range(8):
            folder = root / modality / f"thing{label}"
            folder.mkdir(parents=True)
            for k in range(6):
                pixels = np.full((20, 20, 3), 255, np.uint8)
                pixels[label : label + 8, k : k + 9] = (label * 30, 20, 90)
                pixels = pixels if modality == "photo" else pixels.min(-1)
                pixels = np.where(rng.random(pixels.shape) < 0.1, 120, pixels).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{k}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(root / "home"))
        prepare(
            "folder",
            {"photos": [root / "photo"], "sketches": [root / "sketch"]},
            name="small",
            settings={"size": 32},
            unseen=UnseenChoice(names=("thing6", "thing7")),
            workers=1,
        )
    return root / "home" / "datasets"


@pytest.fixture
def home(tmp_path, prepared, monkeypatch):
    """A home of its own with the prepared data set."""
    place = tmp_path / "home"
    place.mkdir()
    (place / "datasets").symlink_to(prepared, target_is_directory=True)
    monkeypatch.setenv("SBIRCTL_HOME", str(place))
    return place
