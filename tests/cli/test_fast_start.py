"""What is quickly said imports little: seen by modules, not by the clock."""

import json
import os
import subprocess

import pytest
from PIL import Image

from tests import forked

NETWORKS = {"torch", "torchvision", "timm", "open_clip", "onnx", "onnxruntime"}
HEAVY = {*NETWORKS, "matplotlib", "sklearn", "scipy", "cv2", "ftfy", "starlette", "safetensors"}


def modules_of(home, *words):
    """(exit status, modules that a command line imported)."""
    code = (
        "import json, sys\n"
        "from sbirctl.cli._app import run\n"
        f"status = run({list(words)!r})\n"
        "print('\\n' + json.dumps([status, list(sys.modules)]))"
    )
    env = {**os.environ, "SBIRCTL_HOME": str(home)}
    started = forked.python(forked.ARGUMENTS)
    done = subprocess.run([started, "-c", code], env=env, capture_output=True, text=True)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    return status, set(modules)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a gallery of three photos."""
    root = tmp_path_factory.mktemp("quick")
    (root / "photos").mkdir()
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (40, 30), colour).save(root / "photos" / f"{colour}.png")
    status, _ = modules_of(root / "home", "index", str(root / "photos"))
    assert status == 0
    return root / "home"


@pytest.mark.parametrize(
    "words, status",
    [
        (["index", "--gallery", "photos"], 0),
        (["index", "nowhere"], 3),
        (["search"], 2),
        (["search", "nowhere.png"], 3),
        (["search", "x.png", "-g", "none"], 3),
        (["serve", "-g", "none"], 3),
        (["galleries"], 0),
        (["runs"], 0),
        (["models"], 0),
        (["datasets"], 0),
        (["tasks"], 0),
        (["splits"], 0),
        (["evaluate", "nowhere.h5"], 3),
        (["train", "baselin"], 2),
        (["train", "baseline", "--set", "lr=fast"], 2),
        (["train", "ffmln", "--set", "lerning_rate=1"], 2),
        (["train", "drclip", "--set", "preset=papr"], 2),
        (["train", "baseline", "--task", "gzs", "--set", "joined=all"], 2),
        (["embed", "clip", "--set", "sise=1"], 2),
        (["env"], 0),
        (["train", "baseline", "--monitor", "x"], 2),
        (["embed", "baseline", "--dataset", "nowhere"], 3),
        (["embed", "nowhere"], 3),
        (["check", "nothing"], 2),
        (["edges", "nowhere.jpg"], 3),
        (["weights"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_it_imports_no_network(home, words, status):
    got, modules = modules_of(home, *words)
    assert got == status
    assert not modules & NETWORKS


@pytest.mark.parametrize("command", ["sheet", "tsne", "curves", "correlation", "robustness"])
def test_a_picture_of_what_is_not_there_imports_nothing_to_draw_with(home, command):
    got, modules = modules_of(home, command, "nowhere.h5")
    assert got == 3
    assert not modules & {*NETWORKS, "matplotlib", "sklearn"}


@pytest.mark.parametrize(
    "words, status",
    [
        (["models", "show", "baseline"], 0),
        (["weights", "--model", "baseline"], 0),
        (["train", "clip"], 2),
        (["train", "baseline", "--dataset", "nowhere"], 3),
        (["train", "baseline", "--task", "nothing"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_the_code_says_of_models_is_imported_once(home, words, status):
    modules_of(home, *words)
    got, modules = modules_of(home, *words)
    assert got == status
    assert not modules & NETWORKS


@pytest.mark.parametrize("command", ["train", "embed"])
def test_data_without_edge_maps_are_told_without_the_model(furnished, command):
    words = [command, "semi3", "--dataset", "demo", "--weights", "none"]
    modules_of(furnished.home, *words)
    got, modules = modules_of(furnished.home, *words)
    assert got == 3
    assert not modules & NETWORKS


def test_index_with_nothing_new_imports_what_it_reads_with_alone(home):
    _, modules = modules_of(home, "index", "--gallery", "photos")
    assert not modules & HEAVY
    assert not {m for m in modules if m.startswith(("sbirctl.training", "sbirctl.models"))}


def test_a_command_does_not_build_the_others(home):
    _, modules = modules_of(home, "galleries")
    commands = {m for m in modules if m.startswith("sbirctl.cli.") and "._" not in m}
    assert commands == {"sbirctl.cli.galleries"}
    _, modules = modules_of(home, "--help")
    assert {"sbirctl.cli.train", "sbirctl.cli.serve"} <= modules
