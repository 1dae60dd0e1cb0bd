"""`sbirctl tsne` with the real command: where things go and what is said where."""

import csv
import json
import os
import subprocess

import numpy as np
import pytest

from sbirctl.cli import _app
from tests import forked


def run(*words, home, **more):
    command = [forked.python(), "-m", "sbirctl", "tsne", *map(str, words)]
    environment = {**os.environ, "SBIRCTL_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=environment, **more
    )


@pytest.fixture
def embeddings(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "any name.npz"
    np.savez(
        path,
        query=rng.standard_normal((12, 4)).astype(np.float32),
        gallery=rng.standard_normal((15, 4)).astype(np.float32),
        query_label=np.repeat(["cat", "dog", "owl"], 4),
        gallery_label=np.repeat(["cat", "dog", "owl"], 5),
    )
    return path


@pytest.mark.parametrize("vectors", [np.ones((20, 4)), np.zeros((20, 8)), np.ones((20, 8)) / 3])
def test_equal_vectors_are_an_error_in_words(vectors, tmp_path):
    """scikit-learn divides by their spread, and the process died."""
    label = np.repeat(np.arange(5), 4)
    sides = {"query": vectors.astype(np.float32), "gallery": vectors.astype(np.float32)}
    np.savez(tmp_path / "e.npz", **sides, query_label=label, gallery_label=label)
    done = run(tmp_path / "e.npz", home=tmp_path)
    assert done.returncode == 4
    assert "40 points have only 1 distinct vector" in done.stderr
    assert "20 photos" in done.stderr
    assert not (tmp_path / "e-tsne.png").exists()


def test_vectors_of_one_dimension_are_an_error_in_words(tmp_path):
    line = np.random.default_rng(0).normal(size=(20, 1)).astype(np.float32)
    label = np.repeat(np.arange(5), 4)
    np.savez(tmp_path / "e.npz", query=line, gallery=line, query_label=label, gallery_label=label)
    done = run(tmp_path / "e.npz", home=tmp_path)
    assert done.returncode == 4
    assert "40 points have only 2 distinct vectors" in done.stderr


def test_few_distinct_vectors_are_drawn_and_marked(tmp_path):
    rng = np.random.default_rng(0)
    few = rng.standard_normal((9, 6)).astype(np.float32)[np.arange(30) % 9]
    label = np.arange(30) % 3
    np.savez(tmp_path / "e.npz", query=few, gallery=few, query_label=label, gallery_label=label)
    done = run(tmp_path / "e.npz", "-o", tmp_path / "e.png", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warning: 30 photos have only 9 distinct vectors." in done.stderr


def test_picture_coordinates_and_facts(embeddings, tmp_path):
    out = tmp_path / "out" / "map.svg"
    done = run("-", "-o", out, "--each", 4, home=tmp_path, input=f"{embeddings}\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}\n"
    assert "showing 12 of 15 photos" in done.stderr
    assert "trustworthiness" in done.stderr
    assert out.read_text().startswith("<?xml")
    with open(out.with_suffix(".csv"), newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 24
    assert {(row["modality"], row["class"]) for row in rows} == {
        (modality, name) for modality in ("photo", "sketch") for name in ("cat", "dog", "owl")
    }
    (facts,) = json.loads(out.with_suffix(".json").read_text())["runs"]
    assert facts["photos"] == 12
    assert facts["photos_in_all"] == 15
    assert 0 <= facts["trustworthiness"] <= 1


def test_two_runs_side_by_side_beside_the_first(embeddings, tmp_path):
    done = run(embeddings, embeddings, "--layout", "two", home=tmp_path)
    assert done.returncode == 0, done.stderr
    picture = tmp_path / "any name-tsne.png"
    assert done.stdout == f"{picture}\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(json.loads(picture.with_suffix(".json").read_text())["runs"]) == 2


@pytest.mark.parametrize(
    "words, code, said",
    [
        (["nowhere.npz"], 3, "nowhere.npz"),
        ([], 3, "no finished run"),
        (["FILE", "-o", "x.gif"], 2, "x.gif"),
        (["FILE", "--classes", "cta"], 2, "'cat'"),
        (["FILE", "--layout", "three"], 2, "--layout"),
    ],
)
def test_what_goes_wrong_is_two_lines(embeddings, tmp_path, words, code, said, capsys, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    words = [str(embeddings) if word == "FILE" else word for word in words]
    assert _app.run(["tsne", *words]) == code
    written = capsys.readouterr()
    assert written.out == ""
    assert said in written.err
    assert len(written.err.splitlines()) == 2
