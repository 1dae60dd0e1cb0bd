"""`sbirctl weights`: a list without torch, by model and by name."""

import json
import subprocess
import sys

from sbirctl.cli import _app
from sbirctl.models import named_weights


def test_all_are_listed_without_torch():
    code = (
        "import sys; from sbirctl.cli import _app; status = _app.run(['weights', '--json']); "
        "sys.exit(status or ('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = [row["name"] for row in json.loads(done.stdout)["rows"]]
    assert names == list(named_weights())


def test_a_model_sees_those_it_starts_from(capsys):
    assert _app.run(["weights", "--model", "drclip"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert {line.split("\t")[0] for line in lines} == {
        name for name, one in named_weights().items() if one.text
    }


def test_networks_that_a_model_does_not_take_are_named_with_the_reason(capsys):
    assert _app.run(["weights", "--model", "zse", "resnet50-tv", "vit-b16-in1k"]) == 0
    out, err = capsys.readouterr()
    assert [line.split("\t")[0] for line in out.splitlines()[1:]] == ["vit-b16-in1k"]
    assert "resnet50-tv does not fit zse: it has no class token." in err
    assert _app.run(["weights", "--model", "zse"]) == 0
    assert "13 networks of that kind do not fit zse" in capsys.readouterr().err


def test_unknown_names_are_answered_with_the_nearest(capsys):
    assert _app.run(["weights", "mobilnetv2"]) == 2
    assert "'mobilenetv2'" in capsys.readouterr().err
    assert _app.run(["weights", "--model", "drklip"]) == 2


def test_the_cost_of_an_image_is_measured(capsys):
    assert _app.run(["weights", "mobilenetv2", "--measure", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert 0 < row["milliseconds"] < 60_000
