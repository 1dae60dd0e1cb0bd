"""docs/adding-a-model.md, followed literally."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_models import batch, images

import sbirctl.models
from sbirctl.core.config import to_dict
from sbirctl.models import MODELS, create, parse_card, rebuild
from sbirctl.training.step import loss_terms

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-model.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """The page's model as a file among the models, and its settings for checks."""
    (code,) = blocks("python")
    (tmp_path / "hermans.py").write_text(code)
    monkeypatch.setattr(sbirctl.models, "__path__", [*sbirctl.models.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield MODELS.get("hermans").check_settings
    sys.modules.pop("sbirctl.models.hermans", None)
    MODELS._things.pop("hermans", None)


def test_the_model_trains_and_embeds(small: dict) -> None:
    assert "hermans" in MODELS.names()
    model = create("hermans", device="cpu", weights="none", classes=("a", "b"), layers=[small])
    (stage,) = model.train().recipe()
    loss_terms(model, batch(), stage.name)["total"].backward()
    assert any(p.grad.abs().max() > 0 for p in stage.groups[0].params if p.grad is not None)
    given = images(2)
    again = rebuild("hermans", to_dict(model.settings), ("a", "b"), device="cpu", seed=1)
    again.load_checkpoint_state(model.checkpoint_state())
    torch.testing.assert_close(again.embed(given, "photo"), model.eval().embed(given, "photo"))


def test_the_preset_and_the_card(small: dict) -> None:
    layers = [{"preset": "small"}]
    model = create("hermans", device="cpu", weights="none", layers=layers)
    assert (model.settings.backbone.name, model.settings.size) == ("resnet18", 128)
    card = parse_card("hermans", tomllib.loads(blocks("toml")[0]))
    default = create("hermans", device="cpu", weights="none")
    assert card.parameters == sum(p.numel() for p in default.parameters())
    assert card.dim == default.dim
