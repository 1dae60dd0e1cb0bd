"""`sbirctl train`: options reach the stage, the path is all that stdout carries."""

import pytest

from sbirctl.cli import _app


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """Replaces the stage; gives the arguments it was called with."""
    import sbirctl.pipeline.train as module

    calls = []

    def train(model, **options):
        calls.append((model, options))
        options["report"].note("training")
        return tmp_path / "run"

    monkeypatch.setattr(module, "train", train)
    return calls


def test_the_path_is_all_that_is_on_stdout(stage, tmp_path, capfd):
    assert _app.run(["train", "baseline"]) == 0
    out, err = capfd.readouterr()
    assert out == f"{tmp_path / 'run'}\n"
    assert "training" in err


def test_print0_ends_with_nul(stage, tmp_path, capfdbinary):
    _app.run(["train", "baseline", "--print0"])
    assert capfdbinary.readouterr().out == str(tmp_path / "run").encode() + b"\0"


def test_a_run_can_begin_at_a_stage_with_the_weights_of_another(stage):
    assert _app.run(["train", "semi3", "--from-stage", "joint", "--init", "mine"]) == 0
    _, options = stage[0]
    assert (options["from_stage"], options["init"]) == ("joint", "mine")


def test_options_reach_the_stage(stage):
    line = "train baseline --task gzs --set a=1 --set b.c=2 --epochs 3 --refit --seed 7"
    _app.run([*line.split(), "--monitor", "unseen", "--threads", "2", "--workers", "0"])
    model, options = stage[0]
    assert model == "baseline"
    assert options["task"] == "gzs"
    assert list(options["assignments"]) == ["a=1", "b.c=2"]
    assert (options["epochs"], options["seed"], options["workers"]) == (3, 7, 0)
    assert options["refit"] is options["monitor"] is True
    assert options["threads"] == 2


@pytest.mark.parametrize(
    "words, code, said",
    [
        (["train", "baselin"], 2, "'baseline'"),
        (["train", "clip"], 2, "sbirctl embed clip"),
        (["train", "baseline"], 3, "sbirctl prepare sketchy"),
        (["train", "baseline", "--monitor", "unsen"], 2, "unseen"),
        (["train", "baseline", "--epochs", "0"], 2, "--epochs"),
        (["train", "baseline", "--set", "epochs"], 2, "key=value"),
        (["train"], 2, "MODEL"),
        (["train", "baseline", "--task", "cg", "--set", "protocol=drclip"], 2, "the task cd"),
        (["train", "baseline", "--task", "gzs", "--set", "scope=all"], 2, "the task fg"),
        (["train", "baseline", "--sweep", "source_split=a,b"], 2, "the task cd"),
        (["embed", "clip", "--task", "fg", "--set", "gallery=both"], 2, "not of fg"),
    ],
)
def test_errors_say_what_to_type(words, code, said, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    assert _app.run(words) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err
