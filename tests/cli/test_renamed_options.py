"""Options by the names they had in an earlier version."""

import pytest

from sbirctl.cli._app import build, run
from sbirctl.cli._renamed import _NOW

PAIRS = [(command, old, new) for command, names in _NOW.items() for old, new in names.items()]


@pytest.mark.parametrize("command, old, new", PAIRS)
def test_every_earlier_name_leads_to_an_option_there_is(command, old, new):
    program = build()
    own = program.commands[command] if command else program
    names = {name for option in own.params for name in option.opts}
    assert new in names
    assert old not in names


@pytest.mark.parametrize("word", ["--name=none", "--name"])
def test_the_earlier_name_means_the_new_one_and_says_so(word, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    assert run(["index", *([word] if "=" in word else [word, "none"])]) == 3
    first, second, _hint = capfd.readouterr().err.splitlines()
    assert first == "warning: --name is called --gallery now."
    assert second == "error: There is no gallery 'none'."


def test_words_behind_two_dashes_and_other_commands_options_stay(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    assert run(["index", "--", "--name"]) == 3
    assert "There is no folder or file --name." in capfd.readouterr().err
    assert run(["index", "--name", "a", "--gallery", "b"]) == 2
    assert "--gallery is given 2 times" in capfd.readouterr().err
