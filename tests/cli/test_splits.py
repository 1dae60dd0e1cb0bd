"""`sbirctl splits`, as typed."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from PIL import Image

from sbirctl.cli import _app
from sbirctl.splits.resolve import find
from tests import forked


def run(*words, home, code=0):
    done = subprocess.run(
        [forked.python(), "-m", "sbirctl", "splits", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "SBIRCTL_HOME": str(home)},
    )
    assert done.returncode == code, done.stderr
    return done


def test_the_list_of_lists_is_a_table_and_json(tmp_path):
    own = tmp_path / "datasets" / "pets" / "splits"
    own.mkdir(parents=True)
    (own / "default.txt").write_text("cat\ndog\n")
    lines = run(home=tmp_path).stdout.splitlines()
    assert lines[0].split("\t") == ["name", "kind", "unseen", "seen", "source"]
    table = {line.split("\t")[0]: line.split("\t")[2:4] for line in lines[1:]}
    assert table["sketchy/imagenet21"] == ["21", "104"]
    assert table["pets/default"] == ["2", "0"]
    rows = json.loads(run("--json", "--dataset", "tuberlin", home=tmp_path).stdout)["rows"]
    assert {row["name"].split("/")[0] for row in rows} == {"tuberlin"}
    assert [row["name"] for row in rows if row["default"]] == ["tuberlin/sake30"]


def test_show_prints_one_class_a_line_and_nothing_else(tmp_path):
    done = run("show", "sketchy/imagenet21", home=tmp_path)
    assert done.stdout.splitlines() == list(find("sketchy", "imagenet21").unseen)
    assert done.stderr == ""
    assert len(run("show", "imagenet21", "--seen", home=tmp_path).stdout.splitlines()) == 104


def test_what_show_prints_with_its_header_is_a_list_again(tmp_path):
    path = tmp_path / "copy.txt"
    path.write_text(run("show", "tuberlin/sempcyc30", "--header", home=tmp_path).stdout)
    assert find("tuberlin", str(path)).digest == find("tuberlin", "sempcyc30").digest
    shown = json.loads(run("show", path, "--json", home=tmp_path).stdout)
    assert len(shown["unseen"]) == 30


@pytest.mark.parametrize(
    "name, code, said",
    [
        ("sketchy/imagenet2", 2, "Did you mean 'sketchy/imagenet21'?"),
        ("imagenet2", 2, "imagenet21"),
        ("nowhere.txt", 3, "no split file"),
    ],
)
def test_a_wrong_name_ends_in_two_lines_and_its_exit_code(tmp_path, name, code, said):
    done = run("show", name, home=tmp_path, code=code)
    assert said in done.stderr
    assert done.stdout == ""


def test_lists_of_a_prepared_set_know_its_seen_classes_and_a_damaged_one_stops_none(tmp_path):
    for name in ("cat", "dog", "café"):
        for side in ("p", "s"):
            (tmp_path / side / name).mkdir(parents=True)
            Image.new("RGB", (9, 9), name.encode()[0]).save(tmp_path / side / name / "1.png")
    folders = ["--photos", f"{tmp_path}/p", "--sketches", f"{tmp_path}/s"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(tmp_path))
        words = ["prepare", "folder", "--name", "own", *folders, "--size", "8", "--unseen", "cat"]
        assert _app.run([*words, "--workers", "1"]) == 0
    assert run("show", "own/default", "--seen", home=tmp_path).stdout == "café\ndog\n"
    (tmp_path / "datasets/own/splits/bad.txt").write_bytes("café\n".encode("latin-1"))
    rows = json.loads(run("--json", "--dataset", "own", home=tmp_path).stdout)["rows"]
    assert [(row["name"], row["unseen"], row["seen"]) for row in rows] == [
        ("own/bad", 0, 0),
        ("own/default", 1, 2),
    ]
    assert "damaged: " in rows[0]["status"]
    run("show", "own/bad", home=tmp_path, code=5)


@pytest.mark.skipif(find_spec("timm") is None, reason="timm ships ImageNet's class list")
def test_audit_names_each_overlap(tmp_path):
    done = run("audit", "sketchy/imagenet21", home=tmp_path)
    assert "songbird\tsame synset\tn01534433" in done.stdout
    assert "4 of 21 classes" in done.stderr
    found = json.loads(run("audit", "sketchy/imagenet21", "--json", home=tmp_path).stdout)
    assert {overlap["name"] for overlap in found["rows"]} == {
        "door",
        "mouse",
        "saw",
        "songbird",
    }


def test_listing_needs_nothing_heavy(tmp_path):
    code = (
        "import sys\nfrom sbirctl.cli._app import run\nrun(['splits'])\n"
        "sys.exit(bool({'torch', 'timm', 'h5py', 'matplotlib'} & set(sys.modules)))"
    )
    env = {**os.environ, "SBIRCTL_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=False)
    assert done.returncode == 0
