"""`sbirctl report` with the real command, and in the process for the finer points."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest

from sbirctl.cli import _app
from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.progress import Reporter
from sbirctl.pipeline.report import ReportRequest, check, report
from sbirctl.retrieval.provenance import Counts
from tests.report.embedded import options_of, run_folder


class Listener(Reporter):
    """Remembers what is warned of."""

    def __init__(self):
        self.said = []

    def warn(self, message):
        self.said.append(message)


@pytest.fixture
def small(tmp_path):
    return [run_folder(tmp_path, f"run-{seed}", seed=seed) for seed in (0, 1)]


@pytest.fixture
def whole(tmp_path):
    """As many queries and photos as published work has, so that its figures can be compared."""
    sizes = {"queries": 4_527, "photos": 3_794, "classes": 8, "dim": 4}
    across = {"task": "cd", "dataset": "tuberlin", "target": "sketchy", "protocol": "drclip"}
    across |= {"options": options_of("cd") | {"protocol": "drclip"}}
    across |= {"counts": {"train": Counts(220, 17_600, 178_362)}}
    split = "sketchy/cross-tuberlin8-drclip"
    return run_folder(tmp_path, "whole", split=split, **sizes, **across)


def test_the_command_in_a_pipe_imports_no_torch(small):
    code = (
        "import sys; from sbirctl.cli import _app; "
        f"code = _app.run(['report', {str(small[0])!r}, {str(small[1])!r}]); "
        "heavy = {'torch', 'matplotlib', 'sklearn', 'timm'} & set(sys.modules); "
        "sys.exit(f'{heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(done.stdout.splitlines(), delimiter="\t"))
    assert {row["metric"] for row in rows} == {"map@200", "prec@200", "prec@100", "map@all"}
    assert {row["runs"] for row in rows} == {"2"}
    assert all(row["not compared because"].startswith("other counts") for row in rows)
    assert all(float(row["published"]) > 0 and not row["difference"] for row in rows)


def test_ours_is_what_evaluate_says(small, capsys):
    assert _app.run(["report", str(small[0]), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    ours = {row["metric"]: row["ours"] for row in rows}
    metrics = [word for name in ours for word in ("-m", name)]
    assert _app.run(["evaluate", str(small[0]), "-d", "clipprompt", *metrics, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == ours


def test_tolerance_is_a_check(whole, small, capsys):
    assert _app.run(["report", str(whole), "--tolerance", "1"]) == 0
    assert _app.run(["report", str(whole), "--tolerance", "0.01"]) == 1
    told = capsys.readouterr()
    assert "2 of 2 figures differ by more than 0.01: tuberlin→sketchy prec@100 by -" in told.err
    assert told.out.startswith("model\t")
    assert _app.run(["report", str(small[0]), "--tolerance", "1"]) == 1
    assert "No figure can be compared" in capsys.readouterr().err


def test_another_models_card(tmp_path):
    place = run_folder(tmp_path, "base", model="baseline")
    assert {row.reason for row in report([place])} == {"nothing published"}
    against = report([place], ReportRequest(against="drclip"))
    assert {row.model for row in against} == {"baseline"}
    assert all(row.source.startswith("Xue Li et al. 2024, Table ") for row in against)
    assert all("another system: drclip, here baseline" in row.reason for row in against)
    assert {row.difference for row in against} == {None}
    with pytest.raises(UsageError, match="There is no model 'drclp'"):
        report([place], ReportRequest(against="drclp"))


def test_embeddings_of_an_unknown_model_still_give_ours(tmp_path):
    place = run_folder(tmp_path, "foreign", model="", split="")
    listener = Listener()
    rows = report([place], report=listener)
    assert all(row.ours is not None and row.published is None for row in rows)
    assert any("names no model with a card" in said for said in listener.said)


def test_photos_without_instances_leave_accuracy_empty(tmp_path):
    listener = Listener()
    rows = report([run_folder(tmp_path, "fine", task="fg")], report=listener)
    assert {row.ours for row in rows} == {None}
    assert "no instances" in listener.said[0]
    paired = report([run_folder(tmp_path, "pairs", task="fg", pairs=True)])
    assert all(0 <= row.ours <= 1 for row in paired)


def test_a_run_named_twice_is_counted_once(small):
    listener = Listener()
    rows = report([small[0], small[0] / "embeddings.h5"], report=listener)
    assert {len(row.runs) for row in rows} == {1}
    assert "named twice" in listener.said[0]


def test_the_ending_says_the_format(small, tmp_path, capsys):
    for name, start in (("r.md", "| data set"), ("r.tex", "% needs"), ("r.json", "{"), ("r", "mo")):
        target = tmp_path / name
        assert _app.run(["report", str(small[0]), "-o", str(target)]) == 0
        assert capsys.readouterr().out == f"{target}\n"
        assert target.read_text().startswith(start)
    assert _app.run(["report", str(small[0]), "--format", "markdown"]) == 2


def test_faults(tmp_path):
    with pytest.raises(MissingError):
        report([tmp_path / "none.h5"])
    with pytest.raises(SbirctlError):
        check([], 1.0)
