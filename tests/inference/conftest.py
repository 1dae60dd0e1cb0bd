"""The tiny CLIP that models of this room's tests are built from."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import open_clip
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))


@pytest.fixture(scope="session", autouse=True)
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    from small_models import TINY_CLIP

    file: Path = tmp_path_factory.mktemp("clip") / "tiny-clip.json"
    file.write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(file)
    return "tiny-clip"
