"""Write docs/screens.md: what each listing looks like on a terminal of 80 columns.

    python docs/_ext/screens.py

A home with the demo's data, two small runs and a gallery is made in a temporary folder, and each
command runs on a pseudo-terminal. tests/docs/test_screens.py compares what depends on no training.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

PAGE = Path(__file__).parents[1] / "screens.md"
COLUMNS = 80
TINY = "backbone=mobilenetv3_small_050 size=32 dim=8 mirror=false epochs=1 batch=16"

# (command, what it lists, whether it says the same in every home)
SCREENS = [
    ("models", "Models", True),
    ("tasks", "Tasks", True),
    ("tasks cg", "Options of a task", True),
    ("metrics", "Metrics and definitions", True),
    ("splits", "Class lists", True),
    ("weights", "Open weights", True),
    ("models show clip", "One model", True),
    ("explain prec@100", "What a figure is", True),
    ("datasets", "Data sets", False),
    ("runs", "Runs", False),
    ("galleries", "Galleries", False),
    ("home", "The home folder", False),
    ("evaluate @1 -m map@all -m prec@10 --ci class", "Figures of a run", False),
    ("evaluate @1 -m map@all --per-class", "Figures of each class", False),
    ("audit @1", "The same ranking by every definition", False),
    ("compare @1 @2 -m map@all", "Two runs", False),
    ("search drawing.png --gallery mine --scores --top 3", "What a drawing finds", False),
]
HEAD = """# Screens

What each listing looks like on a terminal of 80 columns, in a home with the demo's data, two small
runs and a gallery. Wider terminals show the columns named below a table; `--wide` shows them all.

<!-- Written by `python docs/_ext/screens.py`. -->
"""


def screen(command: str, place: Path, columns: int = COLUMNS) -> str:
    """What a command writes on a terminal, without colours.

    Args:
        command: behind `sbirctl`.
        place: a folder to run in; its `home` is the home folder.
        columns: of the terminal.
    """
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    env |= {"SBIRCTL_HOME": str(place / "home"), "TERM": "xterm-256color", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "sbirctl", *command.split()],
        stdin=follower, stdout=follower, stderr=follower, cwd=place, env=env,
    )  # fmt: skip
    os.close(follower)
    written = b""
    while piece := _read(leader):
        written += piece
    os.close(leader)
    if process.wait():
        raise SystemExit(f"sbirctl {command}: {written.decode()}")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode()).replace("\r\n", "\n")
    lines = (line.rstrip() for line in text.strip("\n").split("\n"))
    return "\n".join(line for line in lines if "━━ 0/1" not in line)  # bars, gone at their end


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # the other end is closed
        return b""


def furnish(place: Path) -> None:
    """Make the home: data, two runs, a gallery, a drawing."""
    from PIL import Image, ImageDraw

    (place / "photos").mkdir()
    for number in range(4):
        image = Image.new("RGB", (40, 30), (60 * number, 90, 200 - 50 * number))
        ImageDraw.Draw(image).ellipse((number, 3, 30, 25), fill="white")
        image.save(place / "photos" / f"{number}.png")
    drawing = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(drawing).ellipse((5, 8, 58, 55), outline=0, width=3)
    drawing.save(place / "drawing.png")
    sets = " ".join(f"--set {one}" for one in TINY.split())
    train = f"train baseline --dataset demo --weights none {sets}"
    for command in (
        "prepare demo --set per_class=4 --size 32",
        f"{train} --seed 0",
        f"{train} --seed 1",
        "embed @1",
        "embed @2",
        "index photos --gallery mine",
    ):
        screen(command, place)


def block(title: str, command: str, text: str) -> str:
    """A screen as the page has it."""
    return f"\n## {title}\n\n```text\n$ sbirctl {command}\n{text}\n```\n"


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        furnish(place)
        blocks = [block(title, one, screen(one, place)) for one, title, _ in SCREENS]
    shown = "/home/ann/sketches"[: len(folder)].ljust(len(folder), "-")  # tables keep their width
    PAGE.write_text(HEAD + "".join(blocks).replace(folder, shown), "utf-8")


if __name__ == "__main__":
    main()
