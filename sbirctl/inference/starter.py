"""Exported models by name; one comes with the program, `sbirctl/starter/`."""

from __future__ import annotations

from pathlib import Path

from sbirctl.inference.onnx import CARD, read_card

NAME = "starter"
FOLDER = Path(__file__).absolute().parents[1] / NAME


def export_named(text: str) -> Path | None:
    """The folder of the exported model that is meant; None where `text` means none."""
    folder = FOLDER if text == NAME else Path(text).expanduser()
    return folder if (folder / CARD).is_file() else None


def zero_shot_note() -> str:
    """What its card says of classes it knows, for figures that are measured with it."""
    return str(read_card(FOLDER)["zero_shot"]["note"])
