"""One run for every value of a setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sbirctl.cli import _app
from sbirctl.core.errors import UsageError
from sbirctl.pipeline import sweep as stage
from sbirctl.pipeline.sweep import COLUMNS, parse_sweep, sweep
from sbirctl.retrieval.definitions import get


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for training: remembers what was asked for and leaves a result."""
    calls: list[list[str]] = []

    def train(model: str, *, assignments: Any, **options: Any) -> Path:
        calls.append([model, *assignments])
        folder = tmp_path / f"run{len(calls)}"
        folder.mkdir()
        history = [
            {"epoch": 1, "loss": 2.0, "val_map@all": 0.1, "unseen_map@all": 0.9},
            {"epoch": 2, "loss": 1.0, "val_map@all": 0.3, "unseen_map@all": 0.2},
            {"epoch": 3, "loss": 1.0, "val_map@all": 0.2, "unseen_map@all": 0.7},
        ]
        result = {
            "finished": "2026-01-01T00:00:00+00:00",
            "chosen_epochs": {"train": 2},
            "phases": {"train": {"history": history}},
            "minutes": 1.5,
            "images_per_second": 40.0,
            "parameters": {"all": 7, "trained": 7},
        }
        (folder / "result.json").write_text(json.dumps(result))
        return folder

    monkeypatch.setattr(stage, "train", train)
    return calls


def test_values_are_parted_by_commas_or_semicolons() -> None:
    assert parse_sweep("lambda=0.5, 0.8") == ("lambda", ("0.5", "0.8"))
    assert parse_sweep("terms=norm;norm,cls") == ("terms", ("norm", "norm,cls"))
    for text in ("lambda", "lambda=", "=1", "lambda=,"):
        with pytest.raises(UsageError, match="is no sweep"):
            parse_sweep(text)


def test_every_combination_is_trained(trained: list[list[str]]) -> None:
    rows = sweep("ffmln", ["lambda=0.5,1.0", "dim=64"], assignments=["depth=1"])
    assert trained == [
        ["ffmln", "depth=1", "lambda=0.5", "dim=64"],
        ["ffmln", "depth=1", "lambda=1.0", "dim=64"],
    ]
    assert tuple(rows[0]) == ("lambda", "dim", *COLUMNS)
    # the unseen figure is that of the chosen epoch, not the best one
    assert tuple(rows[1].values()) == ("1.0", "64", 0.3, 0.2, 2, 1.5, 40.0, 7, "run2")


def test_a_wrong_value_is_refused_before_anything_is_trained(trained: list[list[str]]) -> None:
    with pytest.raises(UsageError, match="lambda=x"):
        sweep("ffmln", ["lambda=0.5,x"])
    with pytest.raises(UsageError, match="lamda"):
        sweep("ffmln", ["lamda=0.5"])
    with pytest.raises(UsageError, match="twice"):
        sweep("ffmln", ["dim=8", "dim=16"])
    assert trained == []


def test_the_command_prints_one_table(
    trained: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _app.run(["train", "ffmln", "--sweep", "lambda=0.5,1.0"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["lambda", *COLUMNS]
    assert [line[0] for line in lines[1:]] == ["0.5", "1.0"]
    assert len(trained) == 2


def test_metrics_are_measured_on_each_run_and_stand_in_their_order(
    trained: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def embed(folder: Path, **options: Any) -> Path:
        assert options["device"] == "cpu"
        return folder / "embeddings.h5"

    def evaluate(path: Path, request: stage.EvaluateRequest, report: Any) -> dict[str, Any]:
        asked.append((request.metrics, request.definition.name))
        return {"metrics": dict.fromkeys(request.metrics, float(path.parent.name[-1]))}

    monkeypatch.setattr(stage, "embed", embed)
    monkeypatch.setattr(stage, "evaluate", evaluate)
    rows = sweep(
        "ffmln", ["dim=8,16"], metrics=["prec@5", "MAP@all"], definition=get("sake"), device="cpu"
    )
    assert tuple(rows[0])[:3] == ("dim", "prec@5", "map@all")
    assert [row["prec@5"] for row in rows] == [1.0, 2.0]
    assert asked == [(["prec@5", "map@all"], "sake")] * 2


def test_a_wrong_metric_is_refused_before_anything_is_trained(trained: list[list[str]]) -> None:
    with pytest.raises(UsageError, match="mapp@5"):
        sweep("ffmln", ["dim=8"], metrics=["mapp@5"])
    assert trained == []
    assert _app.run(["train", "ffmln", "--metric", "map@all"]) == 2


def test_a_sweep_can_name_no_preset(trained: list[list[str]]) -> None:
    rows = sweep("ffmln", ["preset=none,released"])
    assert [row["preset"] for row in rows] == ["none", "released"]
