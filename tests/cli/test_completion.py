"""Completion, asked as bash, zsh and fish ask for it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sbirctl.cli._completion import complete
from sbirctl.cli._options_table import value_type
from tests import forked
from tests.cli.every_command import leaves

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
SHELLS = ("bash", "zsh", "fish")
HEAVY = ("torch", "torchvision", "timm", "open_clip", "sklearn", "matplotlib", "pydantic", "rich")


def tab(shell, line, **environment):
    """What a shell is told for a line that is typed so far."""
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    done = subprocess.run(
        [forked.python(forked.PROGRAM), "-m", "sbirctl"],
        env={**os.environ, **asked, "_SBIRCTL_COMPLETE": f"complete_{shell}", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    if shell == "zsh":
        inside = done.stdout.partition("((")[2].rpartition("))")[0]
        return [line.split('":"')[0].strip('"') for line in inside.splitlines()]
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


# What is typed, and names that must be among the answers ({run}: of the furnished home).
LINES = {
    "commands": ("sbirctl eva", ["evaluate"]),
    "commands of a group": ("sbirctl runs ", ["label", "list", "rm"]),
    "options": ("sbirctl evaluate --de", ["--definition", "--depth", "--device"]),
    "shared options": ("sbirctl runs list --", ["--json", "--wide", "--quiet", "--verbose"]),
    "models": ("sbirctl train b", ["baseline"]),
    "known data sets": ("sbirctl prepare ske", ["sketchy"]),
    "prepared data sets": ("sbirctl train baseline --dataset ", ["demo"]),
    "data sets to remove": ("sbirctl datasets rm de", ["demo"]),
    "splits": ("sbirctl train baseline --split sketchy/imagenet", ["sketchy/imagenet21"]),
    "splits of a data set": ("sbirctl train baseline --dataset demo --split uns", ["unseen7"]),
    "split lists": ("sbirctl splits show demo/", ["demo/unseen7"]),
    "tasks": ("sbirctl train baseline --task g", ["gzs"]),
    "definitions": ("sbirctl evaluate x.npz -d sa", ["sake"]),
    "metrics": ("sbirctl evaluate x.npz --metric ndcg", ["ndcg@100"]),
    "parts": ("sbirctl evaluate --part den", ["denominator="]),
    "setting keys": ("sbirctl train ffmln --set lr", ["lr="]),
    "groups of settings": ("sbirctl train baseline --set backbone.n", ["backbone.name="]),
    "task options": ("sbirctl train baseline --task fg --set sc", ["scope="]),
    "settings of a run": ("sbirctl embed {run} --set mirr", ["mirror="]),
    "runs": ("sbirctl evaluate baseline-cg-", ["{run}"]),
    "galleries": ("sbirctl search --gallery m", ["mine"]),
    "galleries to remove": ("sbirctl galleries rm ", ["mine"]),
    "papers": ("sbirctl reproduce f", ["ffmln"]),
    "exhibits": ("sbirctl reproduce ffmln fig", ["figure-7"]),
    "whose figures": ("sbirctl report --against ", ["paper", "ledger", "drclip"]),
    "edge methods": ("sbirctl prepare demo --edges g", ["gb", "gb-color"]),
    "edge parameters": ("sbirctl prepare demo --edges canny --edges-set si", ["sigma="]),
    "reader options": ("sbirctl prepare demo --set per", ["per_class="]),
    "columns": ("sbirctl curves --columns ", ["1", "2"]),
    "devices": ("sbirctl train baseline --device c", ["cpu", "cuda"]),
    "choices of an option": ("sbirctl sheet --select m", ["median"]),
    "an option's value behind =": ("sbirctl sheet --select=m", ["--select=median"]),
    "behind other options": ("sbirctl train baseline --fresh --seed 3 --task f", ["fg"]),
}
# Behind a key bash wants what stands behind its =, the others the whole word.
VALUES = {
    "a setting's choices": ("sbirctl train baseline --set", "optimizer=", "", "adamw"),
    "a flag's": ("sbirctl train baseline --set", "mirror=", "f", "false"),
    "presets": ("sbirctl train ffmln --set", "preset=", "re", "released"),
    "a part's": ("sbirctl evaluate --part", "denominator=", "h", "hits"),
    "a task option's": ("sbirctl train baseline --task fg --set", "scope=", "", "class"),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("what", LINES)
def test_names(what, shell, furnished):
    line, wanted = LINES[what]
    line = line.replace("{run}", furnished.runs[0])
    found = tab(shell, line, SBIRCTL_HOME=str(furnished.home))
    wanted = {name.replace("{run}", furnished.runs[0]) for name in wanted}
    if shell == "bash" and "=m" in line:
        wanted = {name.rpartition("=")[2] for name in wanted} | wanted
        assert wanted & set(found)
    else:
        assert wanted <= set(found)
    typed = line.rpartition(" ")[2].rpartition("=")[2] if shell == "bash" else line.split(" ")[-1]
    assert all(name.startswith(typed) or name.startswith("--") for name in found)


@pytest.mark.parametrize("what", VALUES)
def test_values_behind_a_key(what):
    start, key, typed, wanted = VALUES[what]
    assert f"{key}{wanted}" in tab("zsh", f"{start} {key}{typed}")
    assert f"{key}{wanted}" in tab("fish", f"{start} {key}{typed}")
    broken = f"{start} {key[:-1]} = {typed}" if typed else f"{start} {key[:-1]} ="
    assert wanted in tab("bash", broken)


def test_bash_parts_words_at_an_at_sign(furnished):
    home = {"SBIRCTL_HOME": str(furnished.home)}
    assert "all" in tab("bash", "sbirctl evaluate x.npz --metric map @ a", **home)
    assert {"1", "2"} <= set(tab("bash", "sbirctl evaluate @", **home))
    assert {"@1", "@2"} <= set(tab("fish", "sbirctl evaluate @", **home))


def test_labels_are_names(furnished, sbirctl):
    sbirctl("runs", "label", furnished.runs[0], "ours")
    try:
        assert tab("fish", "sbirctl report ou", SBIRCTL_HOME=str(furnished.home)) == ["ours"]
    finally:
        sbirctl("runs", "label", furnished.runs[0], "")


@pytest.mark.parametrize("shell", SHELLS)
def test_files_are_left_to_the_shell(shell, tmp_path):
    assert tab(shell, "sbirctl evaluate ./x", SBIRCTL_HOME=str(tmp_path)) == []


# Options and arguments that take what the program does not know: files, words of one's own.
FREE = {
    "--classes", "--exclude", "--include", "--unseen", "--host", "--token", "--text", "--label",
    "--memory", "--max-bad", "--since", "--until", "--query", "--from-stage", "--name", "--variant",
    "text", "drawings", "address", "repository",
}  # fmt: skip


FILES = {"export --weights", "attention --weights"}


def known_names():
    for words, command in leaves().items():
        for one in command.params:
            kind = value_type(one)
            file = getattr(kind, "__name__", "") in ("Path", "PosixPath")
            if kind in (int, float, bool) or file or getattr(one, "is_flag", False):
                continue
            name = max(one.opts, key=len)
            if name not in FREE and f"{words} {name}" not in FILES:
                yield pytest.param(words, one, id=f"{words} {name}")


@pytest.mark.parametrize("words, option", list(known_names()))
def test_every_option_that_takes_a_known_name_completes(words, option, furnished, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(furnished.home))
    before = words.split()
    if option.param_type_name == "option":
        first = {"prepare": "sketchy", "train": "baseline", "embed": "baseline"}
        first |= {"index": "photos", "export": "baseline", "edges": "x.png", "check": "baseline"}
        before += [first[words]] if words in first else []
        before += ["--model", "baseline"] if words == "index" else []
        before += ["x.npz", "--method", "dba"] if words == "rerank" else []
        before += ["--edges", "gb"] if option.opts == ["--edges-set"] else []
        if words == "prepare" and option.opts == ["--set"]:
            before[-1] = "demo"
        before.append(max(option.opts, key=len))
    elif option.name == "exhibits":
        before.append("ffmln")
    found = complete(before, "")
    assert found
    assert all(isinstance(name, str) and name for name, _ in found)


@pytest.mark.parametrize("what", LINES)
def test_nothing_heavy_is_imported(what, furnished):
    line, _ = LINES[what]
    line = line.replace("{run}", furnished.runs[0])
    code = (
        "import sys\nfrom sbirctl.cli import _completion\nassert _completion.asked()\n"
        "_completion.answer()\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    asked = {"_SBIRCTL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}
    done = subprocess.run(
        [forked.python(forked.PROGRAM), "-c", code],
        env={**os.environ, **asked, "SBIRCTL_HOME": str(furnished.home)},
        capture_output=True,
        text=True,
    )
    assert done.stderr.strip() == "[]"


SECTION = PAGE.read_text(encoding="utf-8").partition("## Completion")[2].partition("\n## ")[0]
LINES_OF_SHELLS = {
    line.rpartition("#")[2].strip(): line
    for line in SECTION.splitlines()
    if line.startswith("echo")
}
# what a new shell knows then
KNOWS = {
    "bash": ("complete -p sbirctl", "-F _sbirctl_completion sbirctl"),
    "zsh": ("print $_comps[sbirctl]", "_sbirctl_completion"),
    "fish": ("complete --do-complete 'sbirctl eva'", "evaluate"),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_one_line_installs_it(shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / ".config" / "fish").mkdir(parents=True)
    program = tmp_path / "bin" / "sbirctl"
    program.write_text(f'#!/bin/sh\nexec {forked.python(forked.PROGRAM)} -m sbirctl "$@"\n')
    program.chmod(0o755)
    env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env |= {"HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "PATH": path}
    asked, known = KNOWS[shell]
    for words in (["bash", "-c", LINES_OF_SHELLS[shell]], [shell, "-i", "-c", asked]):
        done = subprocess.run(
            words, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stderr
    assert known in done.stdout
    assert "not found" not in done.stderr
