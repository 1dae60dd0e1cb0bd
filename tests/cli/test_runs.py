"""`sbirctl runs`: tables for people and programs, removing by name."""

import json

import pytest

from sbirctl.cli import _app
from sbirctl.core.home import newest_run


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
    assert " ".join(rows[0]) == (
        "run label state epochs validation minutes parameters images/s origin path"
    )
    assert [row[:5] for row in rows[1:]] == [
        ["a", "", "finished", "2", "0.5000"],
        ["b", "", "finished", "2", ""],
        ["c", "", "begun", "", ""],
    ]
    assert [row[6:8] for row in rows[1:]] == [["1200", "20.5000"], ["1200", ""], ["", ""]]
    assert err == ""


@pytest.mark.parametrize("words", [["runs", "--json"], ["runs", "list", "--json"]])
def test_json(home, words, capfd):
    assert _app.run(words) == 0
    found = json.loads(capfd.readouterr().out)["rows"]
    assert [row["run"] for row in found] == ["a", "b", "c"]
    assert found[0]["validation"] == 0.5


def test_rm_prints_what_it_removed(home, capfd):
    assert _app.run(["runs", "rm", "a", "c"]) == 0
    assert capfd.readouterr().out.splitlines() == [str(home / "runs" / n) for n in "ac"]
    assert [p.name for p in (home / "runs").iterdir()] == ["b"]


def test_rm_of_a_wrong_name_removes_nothing(home, capfd):
    assert _app.run(["runs", "rm", "a", "nonsense"]) == 3
    assert "nonsense" in capfd.readouterr().err
    assert (home / "runs" / "a").exists()


DAMAGE = [
    "[" * 100_000,
    "",
    "[]",
    "5",
    '{"phases":{"train":{"history":[5]}}}',
    '{"phases":{"train":{"history":[]}},"finished":"x","chosen_epochs":null,"minutes":1}',
    '{"phases":{"train":{"history":[{"val_map@all":"x"}]}}}',
    '{"phases":{"train":{"history":[]}},"finished":1,"chosen_epochs":{"a":1e999},"minutes":1,'
    '"parameters":{"all":1}}',
]


@pytest.mark.parametrize("what", DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_run_costs_itself(home, capfd, what):
    (home / "runs/b/result.json").write_text(what)
    assert _app.run(["runs", "--json"]) == 0
    rows = {row["run"]: row for row in json.loads(capfd.readouterr().out)["rows"]}
    assert rows["b"]["state"] == "damaged"
    assert rows["a"]["validation"] == 0.5
    assert newest_run().name == "a"


def test_other_kinds_of_values_do_no_harm(home, capfd):
    """They are compared with those of other runs."""
    result = json.loads((home / "runs/b/result.json").read_text())
    (home / "runs/b/result.json").write_text(json.dumps({**result, "finished": 2026}))
    assert _app.run(["runs"]) == 0
    assert newest_run().name == "a"
    (home / "runs/a/embeddings.json").write_text('{"images_per_second": "fast"}')
    assert newest_run().name == "a"


def test_a_folder_in_a_results_place_is_damage(home, capfd):
    (home / "runs/b/result.json").unlink()
    (home / "runs/b/result.json").mkdir()
    assert _app.run(["runs"]) == 0
    assert "damaged" in capfd.readouterr().out


def test_rm_follows_no_link(home, tmp_path_factory, capfd):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("config.toml", "result.json", "thesis.txt"):
        (elsewhere / name).touch()
    (home / "runs/d").symlink_to(elsewhere)
    assert _app.run(["runs", "rm", "d"]) == 2
    assert "is a link" in capfd.readouterr().err
    assert len(list(elsewhere.iterdir())) == 3
