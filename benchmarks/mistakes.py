"""What a beginner's mistakes are answered with, and how soon: one row a mistake.

    python benchmarks/mistakes.py [--markdown FILE]

Each call is a process of its own in a home that holds a prepared data set, two embedded runs and a
gallery, so the seconds of the processor are those of a person's call. The list is
`benchmarks/mistakes.toml`; tests/cli/test_mistakes.py looks at the same answers. A call that needs
torch to find its mistake is marked there, the others are to take at most half a second.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("mistakes.toml")
TINY = "backbone=mobilenetv3_small_050 size=32 dim=8 mirror=false epochs=1 batch=16"


@dataclass(frozen=True)
class Mistake:
    """One of the list.

    Attributes:
        typed: what is typed behind `sbirctl`.
        status: the exit status.
        says: words of the answer that help.
        torch: whether the mistake shows only once the model is made.
    """

    typed: str
    status: int
    says: str
    torch: bool = False


def mistakes() -> list[Mistake]:
    """The list."""
    return [Mistake(**one) for one in tomllib.loads(LIST.read_text())["mistake"]]


def call(typed: str, place: Path) -> tuple[int, str, float]:
    """(exit status, what stderr says, seconds of the processor) of a call."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "sbirctl", *typed.split()],
        cwd=place, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env={**os.environ, "SBIRCTL_HOME": str(place / "home"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return done.returncode, done.stderr, seconds


def furnish(place: Path) -> None:
    """Make the home and the files that the list names."""
    from PIL import Image

    (place / "photos").mkdir()
    for number in range(4):
        image = Image.new("RGB", (40, 30), (60 * number, 90, 200 - 50 * number))
        image.save(place / "photos" / f"{number}.png")
    Image.new("L", (64, 64), 255).save(place / "drawing.png")
    (place / "notes.txt").write_text("not a picture\n")
    train = "train baseline --dataset demo --weights none " + " ".join(
        f"--set {t}" for t in TINY.split(" ")
    )
    for typed in (
        "prepare demo --set per_class=4 --size 32",
        f"{train} --seed 0",
        f"{train} --seed 1",
        "embed @1",
        "embed @2",
        "index photos --gallery mine",
    ):
        status, said, _ = call(typed, place)
        if status:
            raise SystemExit(f"{typed}: {said}")


def main() -> None:
    """Print a table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", type=Path)
    target = parser.parse_args().markdown
    rows = ["| typed | status | answer | seconds |", "|---|---|---|---|"]
    slow = wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        furnish(Path(folder))
        for one in mistakes():
            status, said, seconds = call(one.typed, Path(folder))
            last = said.splitlines()[-2:]
            answer = " / ".join(last).replace(folder, "…").replace("|", "\\|")
            helps = status == one.status and one.says in answer and answer.startswith("error: ")
            wrong += not helps
            slow += seconds > 0.5 and not one.torch
            mark = " (torch)" if one.torch else ""
            typed = f"`sbirctl {one.typed}`".replace("|", "\\|")
            rows.append(f"| {typed} | {status} | {answer} | {seconds:.2f}{mark} |")
            print(rows[-1] + ("" if helps else f"  <- {one}"), flush=True)
    print(f"{len(mistakes())} mistakes, {wrong} answered otherwise, {slow} slower than 0.5 s")
    if target:
        target.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
