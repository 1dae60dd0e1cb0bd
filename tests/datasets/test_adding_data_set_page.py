"""docs/adding-a-data-set.md, followed literally."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sbirctl.datasets
from sbirctl.core.errors import MissingError
from sbirctl.datasets import DATASETS
from sbirctl.pipeline.prepare import prepare
from sbirctl.splits.lists import parse
from sbirctl.store.reader import Store

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-data-set.md"


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    assert found
    return found.group(1)


@pytest.fixture
def tiles(tmp_path, monkeypatch):
    """The page's reader among the data sets, and a folder of tiles."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "tiles.py").write_text(block("python"))
    monkeypatch.setattr(sbirctl.datasets, "__path__", [*sbirctl.datasets.__path__, str(code)])
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    importlib.invalidate_caches()
    data = tmp_path / "data"
    rng = np.random.default_rng(0)
    for name in ("photos/fish/a.jpg", "drawings/fish/a-1.png", "drawings/fish/a-2.png"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(data / name)
    yield data
    sys.modules.pop("sbirctl.datasets.tiles", None)
    DATASETS._things.pop("tiles", None)


def test_the_reader_prepares(tiles):
    assert "tiles" in DATASETS.names()
    store = Store.open(prepare("tiles", {"from": (tiles,)}, settings={"size": 8}, workers=1))
    assert (len(store.items.where("photo")), len(store.items.where("sketch"))) == (1, 2)
    assert store.items.instances == ("fish/a",)
    assert store.read("photo", [0]).shape == (1, 8, 8, 3)


def test_a_wrong_folder_is_named(tiles, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="empty"):
        prepare("tiles", {"from": (tmp_path / "empty",)}, settings={"size": 8})


def test_the_list_is_a_list():
    found = parse(block("text"), "tiles.txt")
    assert found.names == ("fish", "wave")
