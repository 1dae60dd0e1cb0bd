"""`make bench-gpu`: sections that fail or run over end nothing; without a GPU it says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from waiting import wait_for

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import gpu

FOLDER = Path(gpu.__file__).parent


def script(folder: Path, text: str) -> str:
    path = folder / "script.py"
    path.write_text(text)
    return str(path)


def test_a_section_that_runs_over_is_cut_with_what_it_said_and_all_it_started(tmp_path):
    started = "import subprocess, sys, time\nprint('| a | 1 |', flush=True)\n"
    started += "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    started += f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\ntime.sleep(60)\n"
    said, outcome = gpu.run(script(tmp_path, started), "", "cpu", 3)
    assert said == "| a | 1 |"
    assert outcome.startswith("cut after")
    status = Path("/proc") / (tmp_path / "pid").read_text() / "status"
    wait_for(lambda: not status.exists() or "zombie" in status.read_text())


def test_a_failing_section_is_named_with_its_last_line(tmp_path):
    said, outcome = gpu.run(script(tmp_path, "print('x  1')\nraise OSError('gone')"), "", "cpu", 60)
    assert said == "```\nx  1\n```"
    assert outcome == "failed with exit status 1: OSError: gone"


def test_a_reason_fits_into_the_table_and_names_no_folder(tmp_path):
    text = f"raise OSError('a|b: {tmp_path}/x.h5')"
    _, outcome = gpu.run(script(tmp_path, text), "", "cpu", 60)
    assert outcome == r"failed with exit status 1: OSError: a\|b: …/x.h5"


def test_an_interrupted_call_ends_the_section(tmp_path, monkeypatch):
    real, begun = subprocess.Popen, []

    class Interrupted(real):
        def communicate(self, *arguments, **more):
            begun.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(gpu.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        gpu.run(script(tmp_path, "import time; time.sleep(60)"), "", "cpu", 60)
    assert begun[0].poll() is not None


def test_rows_of_one_table_stay_together():
    page = gpu.joined(["# Title", "| a |\n|---|", "", "| 1 |", "words", "| 2 |"])
    assert page == "# Title\n\n| a |\n|---|\n| 1 |\n\nwords\n\n| 2 |\n"


def test_the_budgets_end_within_twenty_minutes():
    assert sum(section.seconds for section in gpu.SECTIONS) < 20 * 60 - 30
    assert {s.arguments.split()[0] for s in gpu.SECTIONS if s.name == "steps"} == set(gpu.MODELS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_a_line():
    done = subprocess.run([sys.executable, FOLDER / "gpu.py"], capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "There is no GPU here that torch can use, so nothing is measured."
    ]


@pytest.mark.slow  # every line of every script once, two minutes
def test_every_line_runs_on_a_processor_in_small(tmp_path):
    page = tmp_path / "gpu.md"
    command = [sys.executable, FOLDER / "gpu.py", "--device", "cpu", "--tiny", "--output", page]
    done = subprocess.run(command, capture_output=True, text=True)
    text = page.read_text()
    assert done.returncode == 0, text
    assert "failed" not in text
    assert text.count("| done in ") == len(gpu.SECTIONS)
    for name in gpu.MODELS:
        for way in ("fp32", "bf16", "fp16", "compiled bf16", "loss of 4 steps"):
            assert f"| {name} | {way}" in text
