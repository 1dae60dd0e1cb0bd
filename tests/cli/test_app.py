"""The rules every command keeps, tried with the real command."""

import json
import os
import subprocess
import sys

import pytest

from sbirctl.cli import _app, _endings
from tests import forked

HEAVY = (
    "torch",
    "torchvision",
    "open_clip",
    "timm",
    "matplotlib",
    "sklearn",
    "h5py",
    "numpy",
    "cv2",
)


def run(*words, **more):
    command = [forked.python(), "-m", "sbirctl", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **more)


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom sbirctl.cli._app import run\nrun(['--help'])\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_version():
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("sbirctl ")
    assert done.stderr == ""


@pytest.mark.parametrize("words, near", [(["evalute"], "evaluate"), (["env", "--jsn"], "--json")])
def test_a_wrong_word_is_two_lines_and_exit_2(words, near):
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert near in first
    assert second.startswith("  → ")


def test_env_prints_json_on_stdout(tmp_path):
    done = run("env", "--json", env={**os.environ, "SBIRCTL_HOME": str(tmp_path)})
    facts = json.loads(done.stdout)
    assert facts["home"] == str(tmp_path)
    assert done.stderr == ""


def test_a_misspelled_variable_is_named():
    given = {"SBIRCTL_HOM": "/nowhere", "SBIRCTL_SET_LR": "1", "SBIRCTL_TEST_FORK": "0"}
    done = run("metrics", env=os.environ | given)
    assert "SBIRCTL_HOM is not read. Did you mean SBIRCTL_HOME?" in done.stderr
    assert done.stderr.count("warning") == 1


def test_a_table_in_a_pipe_is_tab_separated():
    lines = run("env").stdout.splitlines()
    assert lines[0] == "what\tvalue"
    assert all(line.count("\t") == 1 for line in lines)


def test_an_unforeseen_error_has_no_traceback_unless_asked(tmp_path):
    code = (
        "import sys\nimport sbirctl.pipeline.env as e\n"
        "def broken(*_): raise RuntimeError('boom')\n"
        "e.describe = broken\n"
        "from sbirctl.__main__ import main\nmain(sys.argv[1:])"
    )
    plain = subprocess.run([sys.executable, "-c", code, "env"], capture_output=True, text=True)
    assert plain.returncode == 1
    assert "boom" in plain.stderr
    assert "Traceback" not in plain.stderr
    debug = subprocess.run(
        [sys.executable, "-c", code, "-v", "env"], capture_output=True, text=True
    )
    assert "Traceback" in debug.stderr


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m sbirctl env | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    done = run(env={**os.environ, "_SBIRCTL_COMPLETE": f"source_{shell}"})
    assert "_SBIRCTL_COMPLETE" in done.stdout


def test_completion_knows_the_commands():
    asked = {"_SBIRCTL_COMPLETE": "complete_bash", "COMP_WORDS": "sbirctl eva", "COMP_CWORD": "1"}
    assert run(env={**os.environ, **asked}).stdout.split() == ["evaluate"]


def test_a_missing_package_is_named_with_what_brings_it(tmp_path, monkeypatch, capsys):
    """As in the core wheel, which leaves the drawing library out."""
    import numpy as np

    vectors = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    labels = np.arange(20) // 5
    np.savez(tmp_path / "e.npz", query=vectors, gallery=vectors, query_label=labels,
             gallery_label=labels)  # fmt: skip
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert _app.run(["tsne", str(tmp_path / "e.npz")]) == 3
    said = capsys.readouterr().err.splitlines()
    assert "matplotlib" in said[-2]
    assert "`pip install sbirctl`" in said[-1]


@pytest.mark.parametrize(
    "said",
    [
        "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried "
        "to allocate 30000000000 bytes. Error code 12 (Cannot allocate memory)",
        "CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the documentation.",
        "std::bad_alloc",
    ],
)
def test_a_librarys_shortage_of_memory_is_one(said, capfd):
    assert _endings.end(RuntimeError(said), verbose=False) == 1
    first, second = capfd.readouterr().err.splitlines()
    assert first.startswith("error: There is not enough memory: ")
    assert "smaller batches" in second
