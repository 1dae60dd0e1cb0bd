"""What a person may type for a run."""

import json

import pytest

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.core.home import find_run, finished_runs

NAMES = {
    "baseline-cg-demo-unseen7-0-3d299fb3": "2026-01-02T00:00:00",
    "baseline-cg-demo-unseen7-1-77aa0012": "2026-01-03T00:00:00",
    "clip-cg-mine-list-0-3d2b0000": "2026-01-01T00:00:00",
    "drclip-gzs-sketchy-random25-0-aaaa0000": None,
}

RESULT = {
    "phases": {"train": {"history": []}},
    "chosen_epochs": {"train": 1},
    "minutes": 0.1,
    "parameters": {"all": 1},
}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    for name, finished in NAMES.items():
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text("")
        if finished:
            (folder / "result.json").write_text(json.dumps({**RESULT, "finished": finished}))
    return tmp_path / "runs"


@pytest.mark.parametrize(
    "text, number",
    [
        ("clip-cg-mine-list-0-3d2b0000", 2),
        ("clip", 2),
        ("dr", 3),
        ("baseline-cg-demo-unseen7-1", 1),
        ("3d299fb3", 0),
        ("3d29", 0),
        ("77", 1),
        ("@1", 1),
        ("@2", 0),
        ("@3", 2),
    ],
)
def test_one_run_is_meant(runs, text, number):
    assert find_run(text) == runs / list(NAMES)[number]


@pytest.mark.parametrize("text", ["baseline", "3d2", "baseline-cg"])
def test_several_are_refused_by_name(runs, text):
    with pytest.raises(UsageError, match="baseline-cg-demo-unseen7-0-3d299fb3"):
        find_run(text)


@pytest.mark.parametrize("text", ["semi3", "", "299f", "@0", "@one", "a/clip"])
def test_none_is_meant(runs, text):
    assert find_run(text) is None


def test_there_are_not_so_many(runs):
    with pytest.raises(MissingError, match="@4 is no run: 3 are finished"):
        find_run("@4")


def test_a_whole_name_goes_before_the_beginning_of_another(runs):
    (runs / "clip").mkdir()
    (runs / "clip" / "config.toml").write_text("")
    assert find_run("clip") == runs / "clip"


@pytest.mark.parametrize("text", ["{", json.dumps({**RESULT, "finished": "x", "minutes": "x"})])
def test_a_damaged_result_is_no_finished_run(runs, text):
    (runs / "clip-cg-mine-list-0-3d2b0000" / "result.json").write_text(text)
    assert [folder.name.split("-")[0] for folder in finished_runs()] == ["baseline", "baseline"]
