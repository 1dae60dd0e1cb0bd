"""One grammar: an option has one name and one sense in all commands; docs/cli.md has them all."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from sbirctl.cli import _app
from sbirctl.cli._options_table import options_table, value_type
from tests.cli.every_command import leaves

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def options():
    """(command's words, option) of every option there is."""
    for words, command in leaves().items():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                yield words, parameter


def test_every_command_takes_quiet_verbose_and_json():
    for words, command in leaves().items():
        names = {name for parameter in command.params for name in parameter.opts}
        assert {"--quiet", "-q", "--verbose", "-v", "--json"} <= names, words


def test_an_option_has_one_short_name_and_a_short_name_one_option():
    short, long = defaultdict(set), defaultdict(set)
    for _, option in options():
        names = set(option.opts)
        for name in names:
            if name.startswith("--"):
                short[name].add(frozenset(n for n in names if not n.startswith("--")))
            else:
                long[name].add(frozenset(n for n in names if n.startswith("--")))
    assert {name: found for name, found in short.items() if len(found) > 1} == {}
    assert {name: found for name, found in long.items() if len(found) > 1} == {}
    assert all(any(long_one) for found in long.values() for long_one in found)


def test_an_option_takes_the_same_kind_of_value_everywhere():
    kinds = defaultdict(set)
    for _, option in options():
        kind = value_type(option)
        kind = "flag" if option.is_flag else "number" if kind in (int, float) else "text"
        for name in option.opts:
            kinds[name].add(kind)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def test_every_option_has_a_help():
    assert [(words, o.opts) for words, o in options() if not (o.help or "").strip()] == []


def test_the_page_has_the_table_of_the_program():
    text = PAGE.read_text()
    assert options_table() in text, "python -m sbirctl.cli._options_table > see docs/cli.md"


def test_quiet_and_verbose_stand_before_or_behind(tmp_path, furnished):
    run = furnished.runs[0]
    for words in (["-v", "evaluate", run], ["evaluate", run, "-v"]):
        done = subprocess.run(
            [sys.executable, "-m", "sbirctl", *words],
            capture_output=True,
            text=True,
            env={"SBIRCTL_HOME": str(furnished.home), "PATH": ""},
        )
        assert done.returncode == 0
        assert f"read {furnished.home}/runs/{run}/embeddings.h5" in done.stderr
        assert f"write {furnished.home}/runs/{run}/scores.json" in done.stderr
        assert "s of processor time" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("place", [0, 1])
def test_verbose_shows_where_an_error_comes_from_and_keeps_its_status(place, capfd):
    words = ["evaluate", "nowhere.npz"]
    words.insert(place, "-v")
    assert _app.run(words) == 3
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert "error: There is no file or run nowhere.npz." in err
    assert _app.run(["evaluate", "nowhere.npz"]) == 3
    assert "Traceback" not in capfd.readouterr().err
