"""`--json` of every command: one object with the number of its form, and nothing else on stdout."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.cli.every_command import SETTINGS, leaves, paths_in
from tests.pipeline.test_attention_stage import TINY, checkpoint

# Each command once; {run} and {other} are two runs. What makes something makes it anew.
WORDS = {
    "attention": ["{model}", "drawing.png", "--device", "cpu"],
    "audit": ["{run}"],
    "check": ["standard"],
    "compare": ["{run}", "{other}"],
    "correlation": ["{run}", "{other}"],
    "curves": ["{run}"],
    "datasets": [],
    "datasets export": ["demo", "--metric", "map@10"],
    "datasets rm": ["small"],
    "datasets sheet": ["demo"],
    "datasets table": [],
    "datasets verify": ["demo"],
    "demo": ["--epochs", "1", "--each", "4"],
    "edges": ["photos/0.png", "--size", "32"],
    "embed": ["{run}"],
    "env": [],
    "evaluate": ["{run}", "--ci", "class", "--per-class"],
    "explain": ["map@200"],
    "export": ["{run}"],
    "galleries": [],
    "galleries rm": ["second"],
    "home": [],
    "index": ["photos", "--gallery", "mine"],
    "ledger": ["--flagged"],
    "metrics": [],
    "models": [],
    "models pull": ["hf://ada/small"],
    "models push": ["{run}", "ada/small", "--no-onnx"],
    "models show": ["baseline"],
    "prepare": ["demo", "--name", "small", "--set", "per_class=2", "--size", "16"],
    "report": ["{run}"],
    "reproduce": ["ffmln", "--list"],
    "rerank": ["{run}", "--method", "alpha-qe"],
    "robustness": ["{run}", "--queries", "4", "--device", "cpu"],
    "runs": [],
    "runs label": ["{run}", "ours"],
    "runs list": [],
    "runs pack": ["{run}", "packed.sbirctl.zip", "--no-onnx"],
    "runs rm": ["{third}"],
    "runs unpack": ["packed.sbirctl.zip"],
    "search": ["drawing.png", "-g", "mine"],
    "serve": ["--port", "0"],
    "sheet": ["{run}", "{other}"],
    "splits": [],
    "splits audit": ["sketchy/imagenet21"],
    "splits show": ["demo/unseen7"],
    "tasks": [],
    "train": ["baseline", "--dataset", "demo", "--weights", "none", "--seed", "2", *SETTINGS],
    "weights": ["mobilenetv2"],
    "tsne": ["{run}", "--perplexity", "3"],
}
# what a command removes is made first
BEFORE = {
    "datasets rm": ["prepare", "demo", "--name", "small", "--set", "per_class=2", "--size", "16"],
    "galleries rm": ["index", "photos", "--gallery", "second", "--model", "starter"],
    "models pull": ["models", "push", "{run}", "ada/small", "--no-onnx"],
    "runs rm": ["train", *WORDS["train"]],
    "runs unpack": ["runs", "pack", "{run}", "packed.sbirctl.zip", "--no-onnx"],
}


@pytest.fixture(scope="module")
def furnished(furnished, tmp_path_factory):
    """A copy of it: what is made, labelled and removed here is not for other tests."""
    root = tmp_path_factory.mktemp("json") / "copy"
    shutil.copytree(furnished.root, root)
    return SimpleNamespace(root=root, home=root / "home", runs=furnished.runs)


@pytest.fixture(scope="module")
def model(furnished):
    return checkpoint(furnished.root, "ffmln", TINY)


def filled(words, furnished, model):
    run, other = furnished.runs[:2]
    names = {"run": run, "other": other, "model": model}
    if "{third}" in words:
        names["third"] = next(
            p.name for p in (furnished.home / "runs").iterdir() if p.name not in furnished.runs
        )
    return [word.format(**names) for word in words]


def test_every_command_is_tried():
    assert set(WORDS) == set(leaves())


@pytest.mark.parametrize("name", sorted(set(WORDS) - {"serve"}))
def test_stdout_is_one_object_with_its_schema(name, furnished, model, sbirctl, request):
    if name in ("models pull", "models push"):
        request.getfixturevalue("hub")
    if name in BEFORE:
        assert sbirctl(*filled(BEFORE[name], furnished, model))[0] == 0
    status, out, err = sbirctl(*name.split(), *filled(WORDS[name], furnished, model), "--json")
    assert status == 0, err
    value = json.loads(out)
    assert list(value)[:2] == ["schema", "command"]
    assert isinstance(value["schema"], int)
    assert value["command"] == name
    assert len(value) > 2
    for row in value.get("rows", []):
        assert isinstance(row, dict)
        assert row.keys() == value["rows"][0].keys()
    made = name.endswith("rm")
    assert all(os.path.exists(path) != made for path in paths_in(value))


@pytest.mark.parametrize("name", ["runs", "evaluate", "sheet", "splits show"])
def test_what_is_printed_without_it_is_no_json(name, furnished, model, sbirctl):
    status, out, _ = sbirctl(*name.split(), *filled(WORDS[name], furnished, model))
    assert status == 0
    with pytest.raises(ValueError):
        json.loads(out)


def test_an_error_leaves_stdout_empty(sbirctl):
    status, out, err = sbirctl("evaluate", "nowhere.npz", "--json")
    assert (status, out) == (3, "")
    assert len(err.splitlines()) == 2


def test_a_refusal_comes_after_the_result(sbirctl, furnished):
    status, out, err = sbirctl("evaluate", furnished.runs[0], "--min", "map@all=1", "--json")
    assert status == 1
    assert json.loads(out)["metrics"]["map@all"] < 1
    assert "Too low" in err


def test_print0_ends_lines_and_json_has_none(sbirctl, furnished):
    assert sbirctl("sheet", furnished.runs[0], "--print0")[1].endswith(".png\0")
    status, _, err = sbirctl("sheet", furnished.runs[0], "--print0", "--json")
    assert status == 2
    assert "--print0" in err


def test_serve_says_where_it_listens(furnished):
    process = subprocess.Popen(
        [sys.executable, "-m", "sbirctl", "serve", *WORDS["serve"], "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SBIRCTL_HOME": str(furnished.home)},
    )
    try:
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            text += line
        value = json.loads(text)
        assert (value["schema"], value["command"]) == (1, "serve")
        assert value["url"].startswith("http://127.0.0.1:")
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
        process.stderr.close()
