"""`sbirctl home` and `sbirctl datasets rm`."""

import json
import os
from pathlib import Path

import pytest

from sbirctl.cli import _app
from sbirctl.core.files import lock


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    for name, size in (("datasets/mine", 500), ("datasets/yours", 900), ("runs/one", 30)):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_bytes(b"x" * size)
    (tmp_path / "runs" / "refused").mkdir()
    (tmp_path / "runs" / "refused" / ".lock").touch()
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "archive.zip").write_bytes(b"x" * 2000)
    return tmp_path


def listed(capfd, *words):
    assert _app.run(["home", *words, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_what_lies_where(home, capfd):
    found = listed(capfd)
    rows = [(row["kind"], row["name"], row["bytes"]) for row in found["rows"]]
    assert rows == [
        ("data set", "yours", 900),
        ("data set", "mine", 500),
        ("downloads", "", 2000),
        ("run", "one", 30),
        ("run", "refused", 0),
    ]
    assert found["bytes"] == 3430


def test_clean_shows_a_plan_and_then_does_it(home, capfd):
    assert [row["name"] for row in listed(capfd, "--clean")["rows"]] == ["refused"]
    assert (home / "runs" / "refused").is_dir()
    assert _app.run(["home", "--clean", "--yes"]) == 0
    assert capfd.readouterr().out == f"{home / 'runs' / 'refused'}\n"
    assert not (home / "runs" / "refused").exists()
    assert (home / "runs" / "one").is_dir()
    assert _app.run(["home", "--yes"]) == 2


def test_what_a_killed_call_left_is_in_the_plan_with_its_reason_and_asked_for(
    home, capfd, monkeypatch
):
    old = home / "runs" / "one" / f".state.{'0' * 16}.unfinished"
    new = home / "datasets" / "mine" / f".images.{'1' * 16}.unfinished"
    for path in (old, new):
        path.write_bytes(b"x" * 70)
    os.utime(old, (0, 0))
    (home / "runs" / "refused" / ".lock").unlink()
    (home / "runs" / "refused").rmdir()
    (row,) = listed(capfd, "--clean")["rows"]
    assert (row["kind"], row["bytes"], row["path"]) == ("file", 70, str(old))
    assert "killed" in row["left_over"]
    monkeypatch.setattr("sbirctl.cli._console.can_ask", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    assert _app.run(["home", "--clean"]) == 0
    assert "killed" in capfd.readouterr().out
    assert old.exists()
    monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
    assert _app.run(["home", "--clean"]) == 0
    assert (old.exists(), new.exists()) == (False, True)


def test_a_pull_that_was_never_gone_on_with_is_left_over_after_a_day(home, capfd):
    for name in ("old", "new", "held"):
        folder = home / "receiving" / name
        folder.mkdir(parents=True)
        (folder / "config.toml").write_bytes(b"x" * 70)
        (home / "receiving" / f".{name}.lock").touch()
        if name != "new":
            os.utime(folder / "config.toml", (0, 0))
            os.utime(folder, (0, 0))
    rows = [row for row in listed(capfd)["rows"] if row["kind"] == "received in part"]
    assert [(row["name"], bool(row["left_over"])) for row in rows] == [
        ("held", True),
        ("new", False),
        ("old", True),
    ]
    found = {row["name"]: row for row in listed(capfd, "--clean")["rows"]}
    assert found["old"]["left_over"] == "a pull or unpack that was stopped a day ago or more"
    with lock(home / "receiving" / ".held.lock", busy="held"):
        assert _app.run(["home", "--clean", "--yes"]) == 0
    assert sorted(path.name for path in (home / "receiving").glob("[!.]*")) == ["held", "new"]


def test_what_is_cleaned_is_out_of_the_way_before_it_is_deleted(home, monkeypatch):
    """Else a pull that goes on with the folder meanwhile would lose its files."""
    folder = home / "receiving" / "old"
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    deleted = []

    def delete(place, **_):
        deleted.append(Path(place))
        assert not folder.exists()

    monkeypatch.setattr("shutil.rmtree", delete)
    assert _app.run(["home", "--clean", "--yes"]) == 0
    assert any(place.parent == folder.parent for place in deleted)


def test_datasets_are_removed_by_name(home, capfd):
    assert _app.run(["datasets", "rm", "mine", "mine"]) == 0
    assert capfd.readouterr().out == f"{home / 'datasets' / 'mine'}\n"
    assert not (home / "datasets" / "mine").exists()
    assert (home / "datasets" / "yours").is_dir()


@pytest.mark.parametrize(
    "name, status, said",
    [
        ("mien", 3, "is not prepared"),
        ("..", 2, "no name of a data set"),
        ("a/b", 2, "no name"),
        ("linked", 2, "is a link"),
    ],
)
def test_what_is_no_data_set_is_not_removed(home, name, status, said, capfd):
    (home / "datasets" / "linked").symlink_to(home / "datasets" / "yours")
    assert _app.run(["datasets", "rm", "mine", name]) == status
    assert said in capfd.readouterr().err
    assert (home / "datasets" / "mine").is_dir()
    assert (home / "datasets" / "yours").is_dir()
