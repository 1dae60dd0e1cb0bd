"""`sbirctl embed`: a run, a path from stdin, or the newest run."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from sbirctl.cli import _app


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """Replaces the stage; gives the arguments it was called with."""
    import sbirctl.pipeline.embed as module

    calls = []

    def embed_all(sources, **options):
        calls.append((sources, options))
        return [tmp_path / f"embeddings{i or ''}.h5" for i in range(len(sources))]

    monkeypatch.setattr(module, "embed_all", embed_all)
    return calls


def stdin(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))


def test_a_run_by_name_and_its_options(stage, tmp_path, capfd):
    assert _app.run(["embed", "some-run", "--with-train", "--side", "val"]) == 0
    assert capfd.readouterr().out == f"{tmp_path / 'embeddings.h5'}\n"
    sources, options = stage[0]
    assert (sources, options["side"], options["with_train"]) == (["some-run"], "val", True)


def test_several_are_a_line_each_in_their_order(stage, tmp_path, capfd):
    assert _app.run(["embed", "a", "b"]) == 0
    made = [str(tmp_path / name) for name in ("embeddings.h5", "embeddings1.h5")]
    assert capfd.readouterr().out.splitlines() == made
    assert _app.run(["embed", "a", "b", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["paths"] == made
    assert stage[0][0] == ["a", "b"]


@pytest.mark.parametrize("data", [b"/a/run\n", b"\n/a/run\n", b"/a/run\0"])
def test_a_path_from_stdin(stage, monkeypatch, data):
    stdin(monkeypatch, data)
    assert _app.run(["embed", "-"]) == 0
    assert stage[0][0] == ["/a/run"]


def test_all_paths_from_stdin_are_taken_and_named(stage, monkeypatch, capfd):
    stdin(monkeypatch, b"/a/run\n/b/run\n")
    assert _app.run(["embed", "c", "-"]) == 0
    assert stage[0][0] == ["c", "/a/run", "/b/run"]
    assert "from stdin: /a/run, /b/run" in capfd.readouterr().err


def test_an_empty_name_and_stdin_twice_are_refused(stage, capfd):
    assert _app.run(["embed", ""]) == 2
    assert "An empty path was given." in capfd.readouterr().err
    assert _app.run(["embed", "-", "-"]) == 2
    assert "- is named twice" in capfd.readouterr().err
    assert stage == []


def test_an_empty_stdin_is_exit_3(stage, monkeypatch, capfd):
    stdin(monkeypatch, b"")
    assert _app.run(["embed", "-"]) == 3
    assert "pipe" in capfd.readouterr().err
    assert stage == []


def test_without_argument_the_newest_run(stage, monkeypatch, tmp_path):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.toml").touch()
    result = {"finished": "2026-01-01", "minutes": 1, "chosen_epochs": {"train": 2}}
    result |= {"phases": {"train": {"history": []}}, "parameters": {"all": 1}}
    (folder / "result.json").write_text(json.dumps(result))
    assert _app.run(["embed"]) == 0
    assert stage[0][0] == [str(folder)]


@pytest.mark.parametrize(
    "words, code, said",
    [
        (["embed"], 3, "no finished run"),
        (["embed", "x", "--side", "tets"], 2, "'test'"),
        (["embed", "cilp"], 3, "'clip'"),
        (["embed", "clip"], 3, "sbirctl prepare"),
    ],
)
def test_errors_say_what_to_type(words, code, said, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    assert _app.run(words) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err
