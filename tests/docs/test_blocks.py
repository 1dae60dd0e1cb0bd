"""Every block of code in the pages can be read as what it says it is, and no option is unknown.

Blocks of Python are run by the tests of their pages where a page is meant to be followed; here all
are compiled. A line that begins with `sbirctl` is read by the program's own parser, in blocks and
in running text.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sbirctl.cli import _app
from sbirctl.cli._once import all_commands

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"],
    key=lambda page: str(page),
)
BLOCK = re.compile(r"^```([\w{}-]*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Shell, or what a program prints, says what it needs to of itself; directives are Sphinx's.
OTHER = {"", "bash", "text", "console", "{include}", "{toctree}", "{eval-rst}"}
SHELL = {"", "bash", "console"}
# Options of other programs that the pages speak of.
DOCKER = {"--cap-drop", "--read-only", "--rm", "--security-opt", "--tmpfs", "--user"}
FOREIGN = {"--help", "--strict", "--testall", "--nproc-per-node", "--nnodes", *DOCKER}


@pytest.fixture(scope="module")
def program() -> Any:
    return _app.build()


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> str:
    return request.param.read_text("utf-8")


def test_blocks_are_what_they_say(page: str) -> None:
    for language, text in BLOCK.findall(page):
        if language == "python":
            compile(text, "page", "exec")
        elif language == "toml":
            tomllib.loads(text)
        elif language == "json":
            json.loads(text)
        else:
            assert language in OTHER, language


def test_commands_are_read_by_the_program(page: str, program: Any) -> None:
    for line in commands(page):
        try:
            parse(program, line)
        except Exception as error:
            pytest.fail(f"{shlex.join(line)}: {error}")


def test_options_in_running_text_exist(page: str, program: Any) -> None:
    known = {word for one in all_commands(program) for word in options(one)} | FOREIGN
    text = BLOCK.sub("", page)
    named = {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(LONG, code)}
    assert named <= known, named - known


def test_an_unknown_option_is_found(program: Any) -> None:
    parse(program, ["sbirctl", "evaluate", "--metric", "map@all"])
    for line in ("sbirctl evaluate --metrics map@all", "sbirctl datasets list", "sbirctl nothing"):
        with pytest.raises(Exception, match=r"(?i)no such"):
            parse(program, line.split())


LONG = r"(?<![\w-])--[a-z][a-z0-9-]*"


def options(command: Any) -> list[str]:
    return [word for one in command.params for word in [*one.opts, *one.secondary_opts]]


def commands(page: str) -> Iterator[list[str]]:
    """The words of every `sbirctl` command of a page, without its comment and its redirections."""
    lines = [
        line
        for language, text in BLOCK.findall(page)
        if language in SHELL
        for line in text.replace("\\\n", " ").split("\n")
    ]
    lines += re.findall(r"`((?:\$ )?sbirctl [^`\n]+)`", BLOCK.sub("", page))
    for line in lines:
        if "sbirctl" not in line:
            continue
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.commenters = "#"
        lexer.wordchars += "@…=:+,{}[]%^"
        for words in simple(list(lexer)):
            if words[:1] == ["sbirctl"] and len(words) > 1:
                yield words


def simple(words: list[str]) -> Iterator[list[str]]:
    """A line's commands, cut at pipes and the like."""
    found: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("|&;<>()"):
            yield found
            found = []
        else:
            found.append(word)


def parse(program: Any, words: list[str]) -> None:
    """Have the program's parser read a command, without converting values or running it."""
    command, rest = program, words[1:]
    while True:
        context = command.context_class(command, info_name="sbirctl")
        _, rest, _ = command.make_parser(context).parse_args(args=list(rest))
        if not getattr(command, "commands", None) or not rest:
            return
        name = rest[0]
        if name not in command.commands:
            if re.fullmatch(r"[A-Z|…]+", name):
                return  # a placeholder
            raise LookupError(f"no such command: {name}")
        command, rest = command.commands[name], rest[1:]
