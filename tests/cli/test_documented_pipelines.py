"""The pipelines of docs/cli.md, each in a real shell."""

import csv
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import forked
from tests.cli.every_command import TINY

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
SECTION = PAGE.read_text(encoding="utf-8").partition("## Pipelines")[2].partition("\n## ")[0]
LINES = re.search(r"```bash\n(.*?)```", SECTION, re.DOTALL)[1].strip().split("\n\n")


@pytest.fixture(scope="module")
def place(furnished, tmp_path_factory):
    """A folder with what the page names; gives a shell that runs a line there."""
    if missing := [name for name in ("jq", "awk", "xargs") if not shutil.which(name)]:
        pytest.skip(f"{' and '.join(missing)}: not installed")
    here = tmp_path_factory.mktemp("pipelines")
    shutil.copy(furnished.root / "drawing.png", here)
    shutil.copytree(furnished.root / "photos", here / "photos")
    (here / "tiny.toml").write_text(
        "\n".join(f'{key} = "{value}"' for key, value in (text.split("=") for text in TINY))
    )
    shutil.copytree(furnished.home, here / "home")
    code = f'#!/bin/sh\nexec "{forked.python()}" -m sbirctl "$@"\n'
    (here / "bin").mkdir()
    (here / "bin" / "sbirctl").write_text(code)
    (here / "bin" / "sbirctl").chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{here / 'bin'}:{os.environ['PATH']}",
        "SBIRCTL_HOME": str(here / "home"),
        "OMP_NUM_THREADS": "1",
    }

    def run(line):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=here, env=env, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.here, run.runs = here, furnished.runs
    return run


def test_every_line_of_the_page(place):
    assert len(LINES) == 6
    *files, pictures = LINES
    for line in files:
        assert place(line) == ""
    assert set(place(pictures).split()) <= set(os.listdir(place.here))
    here = place.here
    with open(here / "runs.tsv") as stream:
        scores = {name: float(value) for name, value in csv.reader(stream, delimiter="\t")}
    assert set(scores) == set(place.runs)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    mean = sum(scores.values()) / len(scores)
    assert float((here / "mean.txt").read_text()) == pytest.approx(mean, abs=5e-5)
    made = json.loads((here / "scores.json").read_text())
    assert 0 < made["map@all"] <= 1
    worst = [float(row.split("\t")[2]) for row in (here / "worst.tsv").read_text().splitlines()]
    rows = place("sbirctl evaluate @1 -m map@all --per-class").splitlines()[1:-2]
    assert worst == sorted(float(row.split("\t")[2]) for row in rows)[:3]
    assert len(list((here / "found").iterdir())) == 3
    assert len(list(here.glob("*.svg"))) == len(list((here / "home" / "runs").iterdir()))


def test_a_limit_ends_in_its_status(place):
    assert place("sbirctl evaluate @1 --min map@all=1 -q >scores.txt || echo $?") == "1\n"
