"""The four lines of the README as a person types them, in a real shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sbirctl.splits.resolve import known_classes
from tests import forked

EACH = 5  # photos, and sketches, of a class
SMALL = {  # what makes the default recipe a matter of seconds
    "SBIRCTL_SET_SIZE": "32",
    "SBIRCTL_SET_EPOCHS": "1",
    "SBIRCTL_SET_BATCH": "16",
    "SBIRCTL_SET_DIM": "16",
    "SBIRCTL_SET_BACKBONE__NAME": "resnet18",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A home, a tiny tree with Sketchy's names, and an environment with `sbirctl` on the path."""
    root = tmp_path_factory.mktemp("pipeline")
    rng = np.random.default_rng(0)
    for name in known_classes("sketchy"):
        colour = rng.integers(0, 256, 3)
        left, top = rng.integers(0, 16, 2)
        for modality, ending in (("photo", "jpg"), ("sketch", "png")):
            folder = root / "256x256" / modality / "tx_000000000000" / name
            folder.mkdir(parents=True)
            for k in range(EACH):
                pixels = np.full((24, 24, 3), colour if modality == "photo" else 255, np.uint8)
                pixels[top + k : top + 8, left : left + 8] = rng.integers(0, 90)
                stem = f"{name}_{k}" if modality == "photo" else f"{name}_{k}-1"
                Image.fromarray(pixels).save(folder / f"{stem}.{ending}")
    bin_folder = root / "bin"
    bin_folder.mkdir()
    command = bin_folder / "sbirctl"
    command.write_text(f'#!/bin/sh\nexec {forked.python()} -m sbirctl "$@"\n')
    command.chmod(0o755)
    env = {
        **os.environ,
        **SMALL,
        "SBIRCTL_HOME": str(root / "home"),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    return root, env


def shell(world, line: str, code: int = 0) -> subprocess.CompletedProcess:
    root, env = world
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def prepared(world):
    done = shell(world, "sbirctl prepare sketchy --from . --size 32")
    assert Path(done.stdout.strip()).is_dir()
    return world


@pytest.fixture(scope="module")
def trained(prepared):
    run = Path(shell(prepared, "sbirctl train baseline --task gzs --weights none").stdout.strip())
    assert (run / "checkpoint.safetensors").is_file()
    return prepared, run


def test_prepare_without_data_says_where_it_is(world, tmp_path):
    root, env = world
    done = shell((root, {**env, "SBIRCTL_HOME": str(tmp_path)}), "sbirctl train baseline", code=3)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 2
    assert "sbirctl prepare" in done.stderr


def test_evaluate_takes_the_newest_run_and_embeds_it_first(trained):
    world, run = trained
    done = shell(world, "sbirctl evaluate --metric map@all")
    assert done.stdout.splitlines()[0].startswith("metric\t")
    assert "map@all" in done.stdout
    assert (run / "embeddings.h5").is_file()


def test_the_pipeline_in_one_line(trained):
    world, run = trained
    line = (
        "sbirctl train baseline --task gzs --weights none | sbirctl embed - "
        "| sbirctl evaluate - --metric map@all --metric prec@5 --json"
    )
    if shutil.which("jq"):
        metrics = json.loads(shell(world, f"{line} | jq .metrics").stdout)
    else:
        metrics = json.loads(shell(world, line).stdout)["metrics"]
    assert set(metrics) == {"map@all", "prec@5"}
    assert 0 < metrics["map@all"] <= 1
    assert len(list(run.parent.iterdir())) == 1, "the finished run was found, not trained again"


def test_a_failing_first_command_ends_the_pipe_with_exit_3(prepared):
    done = shell(prepared, "sbirctl train no-such-model | sbirctl embed -", code=3)
    assert done.stdout == ""
    assert "stdin gave no path" in done.stderr


def test_everything_for_people_goes_to_stderr(trained):
    world, run = trained
    done = shell(world, "sbirctl train baseline --task gzs --weights none 2>/dev/null")
    assert done.stdout == f"{run}\n"
    null = shell(world, "sbirctl train baseline --task gzs --weights none --print0")
    assert null.stdout == f"{run}\0"


def test_tsne_and_runs(trained):
    world, run = trained
    picture = Path(shell(world, "sbirctl tsne -o picture.png").stdout.strip())
    assert (world[0] / picture).stat().st_size > 1000
    assert run.name in shell(world, "sbirctl runs").stdout


@pytest.mark.slow
def test_the_end_of_a_training_says_what_was_held_out_and_the_command_for_all(prepared):
    done = shell(prepared, "sbirctl train baseline --weights none --seed 5")
    *_, best, losses, took, first, last, then = done.stderr.splitlines()
    assert re.fullmatch(r"train: epoch . of . was best, validation map@all .* \(chance .*\)", best)
    run = Path(done.stdout.strip())
    history = json.loads((run / "result.json").read_text())["phases"]["train"]["history"]
    figures = re.search(r"epoch (.) of .*all (\S+) \(chance (\S+)\)", best)
    entry = history[int(figures[1]) - 1]
    assert float(figures[2]) == pytest.approx(entry["val_map@all"], abs=5e-5)
    assert float(figures[3]) == pytest.approx(entry["chance_map@all"], abs=5e-5)
    assert losses.startswith("last losses: softmax ")
    assert re.fullmatch(r"took \d+:\d\d at \d+ images/s", took)
    assert then == f"measure it: sbirctl evaluate {run.name}"
    assert re.search(r"epoch 1/.*; \d+ images/s, [\d.]+ [MG]B$", done.stderr, re.MULTILINE)
    assert first.strip().endswith(
        "trained on 94 seen classes: 10 of 104 seen classes held out for validation"
    )
    command = last.partition("papers train on all of them: ")[2]
    assert command.endswith(" --refit")
    again = shell(prepared, command)
    assert "trained on all 104 seen classes" in again.stderr
    run = Path(again.stdout.strip())
    config = run / "config.toml"
    assert config.read_text() == Path(done.stdout.strip(), "config.toml").read_text().replace(
        "refit = false", "refit = true"
    )
    whole = shell(prepared, "sbirctl train baseline --weights none --set val=none --seed 5")
    assert "trained on all 104 seen classes" in whole.stderr


@pytest.mark.slow
def test_images_that_are_trained_on_and_tested_are_spoken_of_everywhere(prepared):
    line = "sbirctl train baseline --task gzs --weights none --set joined=trained"
    assert "leaks=allow" in shell(prepared, line, code=2).stderr
    done = shell(prepared, f"{line} --set leaks=allow --set val=none")
    run = Path(done.stdout.strip())
    assert "leaks-allowed" in run.name
    assert "which are trained on: not zero-shot" in done.stderr
    said = "test images were trained on: no zero-shot figure"
    for command in ("evaluate", "sheet -k 3"):
        assert said in shell(prepared, f"sbirctl {command} {run}").stderr, command
    scores = json.loads((run / "scores.json").read_text())
    assert scores["provenance"]["leaks_allowed"] == 21 * 2 * EACH
    done = shell(prepared, f"sbirctl report {run} --against drclip --json")
    assert said in done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["difference"] for row in rows} == {None}
    assert all(said in row["reason"] and said in row["protocol"] for row in rows)
