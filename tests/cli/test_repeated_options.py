"""An option that takes one value is refused when it is given twice, in every command."""

import pytest

from sbirctl.cli._app import build, run


def options(command, path=()):
    """(words before the option, option) of the whole program."""
    for option in command.params:
        if option.param_type_name == "option":
            yield path, option
    for name, inner in getattr(command, "commands", {}).items():
        yield from options(inner, (*path, name))


ALL = list(options(build()))
FLAGS = [(path, o) for path, o in ALL if o.is_flag and not o.secondary_opts]
MANY = [(path, o) for path, o in ALL if o.multiple]
SINGLE = [pair for pair in ALL if pair not in FLAGS and pair not in MANY]


def ids(pairs):
    return [" ".join([*path, max(option.opts, key=len)]) for path, option in pairs]


def test_there_are_many():
    assert len(SINGLE) > 100
    assert {"prepare --unseen", "evaluate --metric"} <= set(ids(MANY))


@pytest.mark.parametrize("path, option", SINGLE, ids=ids(SINGLE))
def test_a_second_value_is_refused(path, option, capsys):
    words = [*option.opts, *option.secondary_opts]
    first, second = words[0], words[-1]
    line = [first, second] if option.is_flag else [first, "a", second, "b"]
    assert run([*path, *line]) == 2
    said = capsys.readouterr().err
    assert f"{max(option.opts, key=len)} is given 2 times" in said
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize("path, option", MANY, ids=ids(MANY))
def test_what_may_be_repeated_says_so(path, option):
    assert "repeated" in option.help


def test_a_flag_said_twice_says_the_same(capsys):
    assert run(["-q", "-q", "metrics"]) == 0
