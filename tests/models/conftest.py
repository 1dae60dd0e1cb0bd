"""What the tests of this room share."""

from __future__ import annotations

import json
import os
from pathlib import Path

import open_clip
import pytest
from small_models import TINY_CLIP

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test that wants the network is a fault


@pytest.fixture(scope="session", autouse=True)
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An open_clip architecture of 70,000 image parameters, by name."""
    file: Path = tmp_path_factory.mktemp("clip") / "tiny-clip.json"
    file.write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(file)
    return "tiny-clip"
