"""The model that comes with the program: `sbirctl/starter/`, an exported model like any other."""

from __future__ import annotations

from pathlib import Path

NAME = "starter"
FOLDER = Path(__file__).absolute().parents[1] / NAME
