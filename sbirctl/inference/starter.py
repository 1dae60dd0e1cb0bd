"""The model that comes with the program: `sbirctl/starter/`, an exported model like any other."""

from __future__ import annotations

from pathlib import Path

from sbirctl.inference.onnx import read_card

NAME = "starter"
FOLDER = Path(__file__).absolute().parents[1] / NAME


def zero_shot_note() -> str:
    """What its card says of classes it knows, for figures that are measured with it."""
    return str(read_card(FOLDER)["zero_shot"]["note"])
