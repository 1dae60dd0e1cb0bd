"""`sbirctl runs`: tables for people and programs, removing by name."""

import json

import pytest

from sbirctl.cli import _app


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Three runs: two finished, one begun."""
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    for name, finished, figures in (("a", "2026-02-01", [0.25, 0.5]), ("b", "2026-01-01", [])):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "config.toml").touch()
        history = [{"epoch": i, "val_map@all": v} for i, v in enumerate(figures)]
        result = {
            "finished": finished,
            "minutes": 1.5,
            "chosen_epochs": {"train": 2},
            "phases": {"train": {"history": history}},
            "parameters": {"all": 1200},
        }
        (folder / "result.json").write_text(json.dumps(result))
    speed = {"schema": 1, "images_per_second": 20.5}
    (tmp_path / "runs" / "a" / "embeddings.json").write_text(json.dumps(speed))
    (tmp_path / "runs" / "c").mkdir()
    (tmp_path / "runs" / "c" / "config.toml").touch()
    return tmp_path


@pytest.mark.parametrize("words", [["runs"], ["runs", "list"]])
def test_the_latest_is_first_and_the_figures_are_the_best(home, words, capfd):
    assert _app.run(words) == 0
    out, err = capfd.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert " ".join(rows[0]) == "run state epochs validation minutes parameters images/s path"
    assert [row[:4] for row in rows[1:]] == [
        ["a", "finished", "2", "0.5000"],
        ["b", "finished", "2", ""],
        ["c", "begun", "", ""],
    ]
    assert [row[5:7] for row in rows[1:]] == [["1200", "20.5000"], ["1200", ""], ["", ""]]
    assert err == ""


@pytest.mark.parametrize("words", [["runs", "--json"], ["runs", "list", "--json"]])
def test_json(home, words, capfd):
    assert _app.run(words) == 0
    found = json.loads(capfd.readouterr().out)
    assert [row["run"] for row in found] == ["a", "b", "c"]
    assert found[0]["validation"] == 0.5


def test_rm_prints_what_it_removed(home, capfd):
    assert _app.run(["runs", "rm", "a", "c"]) == 0
    assert capfd.readouterr().out.splitlines() == [str(home / "runs" / n) for n in "ac"]
    assert [p.name for p in (home / "runs").iterdir()] == ["b"]


def test_rm_of_a_wrong_name_removes_nothing(home, capfd):
    assert _app.run(["runs", "rm", "a", "nonsense"]) == 2
    assert "nonsense" in capfd.readouterr().err
    assert (home / "runs" / "a").exists()
