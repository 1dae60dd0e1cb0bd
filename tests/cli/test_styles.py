"""Colours of the terminal: readable on light and dark ground, none where they are not wanted."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from rich.color import Color

import sbirctl.cli
from sbirctl.cli import _styles
from tests import forked
from tests.cli.terminal import on_terminal

# What terminals come with: black, white, Solarized, VS Code, Ubuntu, One Dark.
GROUNDS = ("#000000", "#ffffff", "#002b36", "#fdf6e3", "#1e1e1e", "#300a24", "#282c34")
LEAST = 3.0  # of bold text and of what is no text (WCAG 2.2, 1.4.3 and 1.4.11)
BAR = (
    "import time\nfrom sbirctl.cli import _console\n"
    "with _console.reporter().bar('reading', 3) as advance:\n"
    "    for _ in range(3):\n        advance()\n        time.sleep(0.15)\n"
    "_console.reporter().warn('look')\n"
)
CALLS = {
    "help": ["-m", "sbirctl", "--help"],
    "help of a command": ["-m", "sbirctl", "train", "--help"],
    "help of a group": ["-m", "sbirctl", "runs", "-h"],
    "an error": ["-m", "sbirctl", "evaluate", "nowhere.h5"],
    "a table": ["-m", "sbirctl", "tasks"],
    "a bar and a warning": ["-c", BAR],
}


def luminance(hexadecimal):
    channels = (int(hexadecimal[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def codes(words, **environment):
    """Every SGR code that a program writes to a terminal, and all it writes."""
    hidden = ("COLUMNS", "LINES", "NO_COLOR", "COLORTERM", "FORCE_COLOR")
    env = {k: v for k, v in os.environ.items() if k not in hidden}
    env |= {"TERM": "xterm-256color", **environment}
    text, _ = on_terminal([forked.python(forked.ARGUMENTS), *words], 80, env)
    return {code for found in re.findall(r"\x1b\[([\d;]*)m", text) for code in parted(found)}, text


def parted(codes):
    """38;5;N is one code."""
    return re.findall(r"[34]8;5;\d+|\d+", codes)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("colour", _styles.COLOURS)
def test_colours_can_be_read(colour, ground):
    parsed = Color.parse(colour)
    assert parsed.number >= 16  # those below are what the terminal's owner made of them
    assert contrast(parsed.get_truecolor().hex, ground) >= LEAST


def test_contrast_is_that_of_the_definition():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("what", CALLS)
def test_no_other_style_is_used(what):
    own = {f"38;5;{Color.parse(colour).number}" for colour in _styles.COLOURS}
    found, text = codes(CALLS[what])
    assert "1" in found, text
    assert found <= {"0", "1", "3", *own}


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "xterm"}], ids=str)
@pytest.mark.parametrize("what", CALLS)
def test_bold_alone(what, environment):
    found, _ = codes(CALLS[what], **environment)
    assert found <= {"0", "1", "3"}


@pytest.mark.parametrize("what", CALLS)
def test_none_in_pipes(what):
    hidden = ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS")
    done = subprocess.run(
        [forked.python(forked.ARGUMENTS), *CALLS[what]],
        env={k: v for k, v in os.environ.items() if k not in hidden}, capture_output=True,
    )  # fmt: skip
    assert b"\x1b" not in done.stdout + done.stderr


def test_every_part_of_the_help_has_a_style_of_ours():
    from typer import rich_utils

    known = {name for name in vars(rich_utils) if name.startswith("STYLE_")}
    known = {name.removeprefix("STYLE_") for name in known if "TABLE_" not in name}
    assert known | {"COMMANDS_TABLE_FIRST_COLUMN"} == set(_styles.HELP)


def test_there_is_one_place_for_styles():
    for path in Path(sbirctl.cli.__path__[0]).parent.rglob("*.py"):
        if path.name != "_styles.py":
            assert "rich.console" not in path.read_text(encoding="utf-8"), path
