"""The reference has every name that the package and its modules for users offer."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import sbirctl

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def shown(page: str) -> set[str]:
    text = (PAGES / f"{page}.md").read_text("utf-8")
    kinds = "function|class|exception|data"
    return set(re.findall(rf"^\.\. (?:auto|py:)(?:{kinds}):: (\w+)", text, re.MULTILINE))


def test_every_call_is_in_the_reference() -> None:
    offered = {name for name in dir(sbirctl) if not name.startswith("_")}
    modules = {"losses", "metrics", "sampling"}
    assert modules < offered
    assert shown("python") == offered - modules
    assert all((PAGES / f"{module}.md").is_file() for module in modules)


@pytest.mark.parametrize("module", ["metrics", "sampling"])
def test_every_name_of_a_module_is_in_the_reference(module: str) -> None:
    found = importlib.import_module(f"sbirctl.{module}")
    offered = set(getattr(found, "__all__", None) or dir(found))
    assert shown(module) == {name for name in offered if not name.startswith("_")}
