"""`sbirctl models`, with the real command."""

import json
import subprocess

from sbirctl.cli import _app
from tests import forked


def run(*words):
    command = [forked.python(), "-m", "sbirctl", "models", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_list_is_a_table_of_every_model():
    from sbirctl.models import MODELS

    done = run()
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0][:3] == ["name", "parameters", "dim"]
    assert [line[0] for line in lines[1:]] == list(MODELS.names())
    assert done.stderr == ""
    entries = json.loads(run("--json").stdout)["rows"]
    assert [entry["name"] for entry in entries] == list(MODELS.names())
    assert all(entry["parameters"] > 0 and entry["paper"] for entry in entries)


def test_show_prints_card_and_settings(capsys):
    assert _app.run(["models", "show", "baseline"]) == 0
    shown = capsys.readouterr().out
    assert "Classification is a Strong Baseline" in shown
    assert "backbone.name\tresnet50" in shown
    assert "temperature\t0.2" in shown


def test_settings_are_grouped_and_what_differs_from_the_paper_is_marked(capsys):
    assert _app.run(["models", "show", "ffmln"]) == 0
    shown = capsys.readouterr().out
    titles = ["input", "network", "losses", "recipe", "machine and preset"]
    places = [shown.index(f"key\tdefault\thelp\n{first}") for first in
              ("size\t", "network\t", "terms\t", "epochs\t", "preset\t")]  # fmt: skip
    assert places == sorted(places), titles
    assert "paper-64\tval=none dim=64*\n" in shown
    assert "(none)\tval=auto*\n" in shown
    assert "paper\tval=none\n" in shown
    assert _app.run(["models", "show", "ffmln", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["beside_the_paper"]["norm"] == {"terms": ["norm"]}
    kinds = {one["key"]: one["kind"] for one in found["settings"]}
    assert (kinds["terms"], kinds["dim"], kinds["size"]) == ("loss", "network", "input")


def test_show_leaves_the_recipe_out_where_nothing_is_trained(capsys):
    assert _app.run(["models", "show", "clip", "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["weights"][0]["licence"].startswith("MIT")
    keys = {entry["key"] for entry in described["settings"]}
    assert "size" in keys
    assert "epochs" not in keys


def test_an_unknown_model_is_a_usage_error():
    done = run("show", "basline")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[1] == "  → Did you mean 'baseline'?"


def test_a_file_without_a_card_does_not_end_the_list(tmp_path, monkeypatch, capsys):
    import sbirctl.models

    (tmp_path / "helper.py").write_text('"""A helper."""\n')
    monkeypatch.setattr(sbirctl.models, "__path__", [*sbirctl.models.__path__, str(tmp_path)])
    assert _app.run(["models"]) == 0
    printed = capsys.readouterr()
    assert "baseline" in printed.out
    assert "helper" not in printed.out
    assert "The model helper has no card helper.toml." in printed.err
