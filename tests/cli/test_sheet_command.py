"""`sheet` and `datasets sheet` as typed."""

import csv
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from sbirctl.cli import _app

sys.path.append(str(Path(__file__).parents[1] / "report"))
import pictured


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    store = pictured.prepare()
    runs = tmp_path / "home" / "runs"
    return pictured.file(runs, store, "one"), pictured.file(runs, store, "two", seed=1)


def test_png_and_table_beside_the_run(made, capfdbinary):
    first, _ = made
    assert _app.run(["sheet", str(first.parent), "-k", "4", "--select", "median"]) == 0
    picture = first.with_name("sheet.png")
    assert capfdbinary.readouterr().out == f"{picture}\n".encode()
    assert Image.open(picture).width > 300
    with open(first.with_name("sheet.tsv"), newline="") as stream:
        lines = list(csv.DictReader(stream, delimiter="\t"))
    assert len(lines) == 3 * 4
    assert {line["query class"] for line in lines} == set(pictured.CLASSES)


def test_two_runs_in_html_by_name(made, tmp_path, capfdbinary):
    page = tmp_path / "a sheet's page.html"
    words = ["sheet", "one", "two", "-k", "3", "--query", "sketch/0/1.png", "--query", "7"]
    assert _app.run([*words, "--print0", "-o", str(page)]) == 0
    assert capfdbinary.readouterr().out == f"{page}\0".encode()
    text = page.read_text("utf-8")
    assert text.count("<section") == 2
    assert text.count("<h2><b>two</b>") == 2
    assert "<script>alert" not in text


def test_pdf(made, tmp_path):
    assert _app.run(["sheet", "one", "-n", "2", "-k", "2", "-o", str(tmp_path / "x.pdf")]) == 0
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")


def test_too_many_are_left_out_aloud(made, tmp_path, monkeypatch, capsys):
    from sbirctl.pipeline import sheet

    monkeypatch.setitem(sheet.MOST, ".html", 9)
    page = tmp_path / "x.html"
    assert _app.run(["sheet", "one", "-n", "0", "-k", "3", "-o", str(page)]) == 0
    said = "only the first 3 of these 12"
    assert said in capsys.readouterr().err
    assert said in page.read_text("utf-8")


@pytest.mark.parametrize(
    "words, code, said",
    [
        (["sheet", "one", "-o", "x.gif"], 2, ".html"),
        (["sheet", "one", "--classes", "nothing"], 2, "nothing"),
        (["sheet", "one", "--query", "gone.png"], 2, "gone.png"),
        (["sheet", "three"], 3, "three"),
        (["sheet", "one", "--dataset", "gone"], 3, "gone"),
        (["datasets", "sheet", "gone"], 3, "gone"),
        (["datasets", "sheet", "drawn things", "-o", "x.html"], 2, "x.html"),
        (["datasets", "sheet", "drawn things", "--classes", "x"], 2, "'x'"),
    ],
)
def test_what_goes_wrong_is_two_lines(made, words, code, said, capsys):
    assert _app.run(words) == code
    written = capsys.readouterr()
    assert written.out == ""
    assert said in written.err
    assert len(written.err.splitlines()) == 2


def test_samples_of_a_data_set(made, tmp_path, capfdbinary):
    assert _app.run(["datasets", "sheet", "drawn things", "--each", "2", "--size", "32"]) == 0
    path = tmp_path / "home" / "datasets" / "drawn things" / "sheet.png"
    assert capfdbinary.readouterr().out == f"{path}\n".encode()
    assert Image.open(path).height > 4 * 32


def test_confused_pairs_as_json_and_beside_the_picture(made, tmp_path, capsys):
    picture = tmp_path / "c.svg"
    words = ["correlation", "one", "two", "--confused", "2", "-o", str(picture)]
    assert _app.run([*words, "--json", "--values"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == str(picture)
    assert [run["run"] for run in found["rows"]] == ["one", "two"]
    assert all(len(run["pairs"]) == 2 for run in found["rows"])
    assert picture.read_text().startswith("<?xml")
    with open(found["values"], newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 2 * 9
    with open(found["pairs"], newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["run"] for line in lines] == ["one", "one", "two", "two"]
    assert float(lines[0]["margin"]) == found["rows"][0]["pairs"][0]["margin"]
    assert _app.run(words) == 0
    said = capsys.readouterr()
    assert said.out == f"{picture}\n"
    assert "one: most confused" in said.err


def test_curves_of_rankings(made, tmp_path, capfdbinary):
    picture = tmp_path / "c.pdf"
    assert _app.run(["curves", "one", "two", "-o", str(picture), "--max-k", "5"]) == 0
    assert capfdbinary.readouterr().out == f"{picture}\n".encode()
    with open(picture.with_suffix(".csv"), newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert {line["run"] for line in lines} == {"one", "two"}
    assert [line["x"] for line in lines if line["curve"] == "K" and line["run"] == "one"] == list(
        "12345"
    )
    assert all(float(line["low"]) <= float(line["precision"]) + 1e-6 for line in lines)


def test_curves_of_training(made, capsys):
    first, _ = made
    line = {"event": "step", "step": 1, "phase": "train", "stage": "s", "epoch": 1, "softmax": 2.5}
    first.with_name("log.jsonl").write_text(json.dumps(line) + "\n")
    assert _app.run(["curves", "--training", "one"]) == 0
    with open(first.with_name("training.csv"), newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row == {
        "run": "one", "phase": "train", "kind": "loss", "name": "softmax", "x": "1", "value": "2.5",
    }  # fmt: skip
    assert _app.run(["curves", "--training", "two"]) == 3
    assert "no training log for two" in capsys.readouterr().err
