"""`sbirctl evaluate` and `metrics`, tried with the real command in a shell."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests import forked


@pytest.fixture
def vectors(tmp_path):
    """An NPZ as another program would write it: names as labels, 12 queries, 30 photos."""
    rng = np.random.default_rng(0)
    centre = rng.standard_normal((3, 8))
    q, g = np.arange(12) % 3, np.arange(30) % 3
    names = np.array(["ape", "bat", "cat"])
    path = tmp_path / "vectors.npz"
    np.savez(
        path,
        query=centre[q] + rng.standard_normal((12, 8)),
        gallery=centre[g] + rng.standard_normal((30, 8)),
        query_label=names[q],
        gallery_label=names[g],
        query_path=np.array([f"q{i}.png" for i in range(12)]),
    )
    return path


def shell(text, tmp_path, **more):
    environment = {**os.environ, "SBIRCTL_HOME": str(tmp_path / "home")}
    return subprocess.run(
        ["bash", "-c", text.replace("sbirctl ", f"{forked.python()} -m sbirctl ")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=120,
        **more,
    )


def test_json_has_the_documented_keys(vectors, tmp_path):
    done = shell("sbirctl evaluate vectors.npz -m map@all -m p@5 --json", tmp_path)
    assert done.stderr == ""
    scores = json.loads(done.stdout)
    assert scores["schema"] == 2
    assert list(scores["metrics"]) == ["map@all", "prec@5"]
    assert 0 < scores["metrics"]["map@all"] <= 1
    assert scores["definitions"]["map@all"].startswith("textbook AP / R; mean over queries")
    assert scores["definition"]["name"] == "standard"
    assert (scores["queries"], scores["gallery"], scores["classes"]) == (12, 30, 3)
    assert scores["queries_without_relevant"] == 0


def test_a_pipe_gets_tab_separated_values(vectors, tmp_path):
    done = shell("sbirctl evaluate vectors.npz -m map@all -m recall@5 | cat", tmp_path)
    header, *lines = done.stdout.splitlines()
    assert header.split("\t") == ["metric", "value", "chance", "definition"]
    rows = [line.split("\t") for line in lines]
    assert [row[0] for row in rows] == ["map@all", "recall@5"]
    assert rows[1][2] == f"{5 / 30:.4f}"  # of 30 photos in any order 5 are seen


def test_a_path_from_stdin(vectors, tmp_path):
    there = shell("echo vectors.npz | sbirctl evaluate - -m map@all", tmp_path)
    here = shell("sbirctl evaluate vectors.npz -m map@all", tmp_path)
    assert there.stdout == here.stdout


def test_an_empty_stdin_is_exit_3(tmp_path):
    done = shell("true | sbirctl evaluate -", tmp_path)
    assert done.returncode == 3
    assert done.stdout == ""


def test_no_run_is_exit_3(tmp_path):
    done = shell("sbirctl evaluate", tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")


def test_a_minimum_decides_the_exit_status(vectors, tmp_path):
    done = shell("sbirctl evaluate vectors.npz -m map@all --min map@all=0.01", tmp_path)
    assert done.returncode == 0
    done = shell("sbirctl evaluate vectors.npz -m map@all --min prec@5=1.1", tmp_path)
    assert done.returncode == 1
    assert "prec@5" in done.stdout
    assert "prec@5 is" in done.stderr
    assert shell("sbirctl evaluate vectors.npz --min map@all", tmp_path).returncode == 2
    twice = shell("sbirctl evaluate vectors.npz --min map@all=0.1 --min map@all=0.9", tmp_path)
    assert twice.returncode == 2
    assert "two limits" in twice.stderr


@pytest.mark.parametrize(
    "words, near",
    [
        ("-m mapp@all", "map@all"),
        ("-m prec@all", "prec@100"),
        ("-m map@0", "map@100"),
        ("-d sakee", "'sake'"),
        ("--part denominator=hitz", "'hits'"),
        ("--part interpolatio=voc", "'interpolation'"),
        ("--binary lsh", "sign or itq"),
        ("--memory lots", "500M"),
        ("--memory 1k", "--memory"),
    ],
)
def test_a_wrong_word_names_the_right_one(words, near, vectors, tmp_path):
    done = shell(f"sbirctl evaluate vectors.npz {words}", tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert near in done.stderr.splitlines()[1]


def test_a_definition_and_its_parts(vectors, tmp_path):
    done = shell(
        "sbirctl evaluate vectors.npz -m map@5 -d sake --part denominator=hits --json", tmp_path
    )
    scores = json.loads(done.stdout)
    assert scores["definition"]["name"] == "sake,denominator=hits"
    assert scores["definition"]["interpolation"] == "voc"
    done = shell("sbirctl evaluate vectors.npz -m map@5 --binary sign --json", tmp_path)
    scores = json.loads(done.stdout)
    assert scores["binary"] == {"code": "sign", "bits": 8}
    assert scores["definition"]["similarity"] == "hamming"


def test_itq_without_training_vectors_is_exit_3(vectors, tmp_path):
    done = shell("sbirctl evaluate vectors.npz --binary itq", tmp_path)
    assert done.returncode == 3
    assert "training" in done.stderr


def test_per_class_and_per_query(vectors, tmp_path):
    done = shell(
        "sbirctl evaluate vectors.npz -m map@all --per-class --per-query each.tsv", tmp_path
    )
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["class", "ape", "bat", "cat", "(all)", "(chance)"]
    each = [line.split("\t") for line in (tmp_path / "each.tsv").read_text().splitlines()]
    assert each[0] == ["query", "path", "class", "relevant", "map@all"]
    assert each[1][:4] == ["0", "q0.png", "ape", "10"]
    mean = np.mean([float(line[4]) for line in each[1:]])
    assert f"{mean:.4f}" == lines[-2][2]


def test_a_collapsed_model_is_spoken_of(tmp_path):
    label = np.repeat(np.arange(5), 4)
    one = np.ones((20, 8), np.float32)
    np.savez(tmp_path / "one.npz", query=one, gallery=one, query_label=label, gallery_label=label)
    done = shell("sbirctl evaluate one.npz -m map@all -m p@4 --json", tmp_path)
    scores = json.loads(done.stdout)
    assert "warning: 20 photos have only 1 distinct vector." in done.stderr
    assert "0.3788 in gallery order, 0.2000 grouped, 0.1320 ranked last" in done.stderr
    assert f"chance is {scores['chance']['map@all']:.4f}" in done.stderr
    assert scores["ties"]["share"] == pytest.approx(0.8)
    assert scores["ties"]["gallery"] == scores["metrics"]
    assert set(scores["ties"]["pessimistic"]) == {"map@all", "prec@4"}
    assert scores["chance"]["prec@4"] == pytest.approx(0.2)


def test_intervals_hold_the_figure(vectors, tmp_path):
    done = shell("sbirctl evaluate vectors.npz -m map@all --ci --json", tmp_path)
    scores = json.loads(done.stdout)
    low, high = scores["intervals"]["map@all"]
    assert low < scores["metrics"]["map@all"] < high
    assert scores["interval_unit"] == "query"  # the file names no task


def test_intervals_by_class(vectors, tmp_path):
    wide = {}
    for words in ("--ci class", "--ci classes", "--ci queries"):
        done = shell(f"sbirctl evaluate {words} vectors.npz -m map@all --json", tmp_path)
        scores = json.loads(done.stdout)
        wide[words] = scores["intervals"]["map@all"], scores["interval_unit"]
    assert wide["--ci class"] == wide["--ci classes"]
    assert wide["--ci class"][1] == "class"
    assert wide["--ci queries"][1] == "query"
    assert wide["--ci queries"][0] != wide["--ci class"][0]
    done = shell("sbirctl evaluate vectors.npz -m map@all --ci", tmp_path)
    header, row = (line.split("\t") for line in done.stdout.splitlines())
    assert dict(zip(header, row, strict=True))["unit"] == "query"


@pytest.mark.parametrize(
    "content, code, words",
    [
        (b"no embeddings at all", 5, "neither HDF5 nor NPZ"),
        (b"\x89HDF\r\n\x1a\n" + b"x" * 100, 5, "damaged"),
        (b"PK\x03\x04" + b"x" * 100, 5, "damaged"),
        (None, 3, "no file"),
    ],
)
def test_a_file_that_is_none(content, code, words, tmp_path):
    path = tmp_path / "bad.npz"
    if content is not None:
        path.write_bytes(content)
    done = shell("sbirctl evaluate bad.npz", tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    "change, code, words",
    [
        ({"query_label": ["ape"]}, 4, "query_label has shape (1,)"),
        ({"query_label": np.arange(12) / 2}, 4, "labels are float64"),
        ({"query": np.zeros((0, 8)), "query_label": np.array([], dtype="U3")}, 3, "query is empty"),
        ({"query_group": np.arange(12)}, 4, "only one side has groups"),
        ({"seen": [True]}, 4, "there are 3 classes"),
    ],
)
def test_arrays_that_do_not_fit_are_two_lines(change, code, words, vectors, tmp_path):
    with np.load(vectors) as held:
        np.savez(vectors, **{**held, **change})
    done = shell("sbirctl evaluate vectors.npz", tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_run_is_found_by_its_name_and_nothing_else_is_taken_for_one(vectors, tmp_path):
    run = tmp_path / "home" / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "embeddings.h5").write_bytes(vectors.read_bytes())
    assert shell("sbirctl evaluate mine -m map@all", tmp_path).returncode == 0
    (tmp_path / "any").mkdir()
    for word, code, said in (("any", 3, "is no run"), ("''", 2, "empty path")):
        done = shell(f"sbirctl evaluate {word}", tmp_path)
        assert (done.returncode, said in done.stderr) == (code, True)


def test_a_reader_that_goes_away(vectors, tmp_path):
    done = shell("sbirctl evaluate vectors.npz --json | head -1; echo ${PIPESTATUS[0]}", tmp_path)
    assert done.stdout.splitlines()[0] == "{"
    assert done.stdout.splitlines()[1] in ("0", "141")
    assert "Broken" not in done.stderr


def test_evaluating_vectors_imports_no_torch(vectors):
    code = (
        "import sys\nfrom sbirctl.cli._app import run\n"
        f"code = run(['evaluate', {str(vectors)!r}, '-m', 'map@all'])\n"
        "print(code, [m for m in ('torch', 'sklearn', 'scipy', 'h5py', 'matplotlib', 'rich') "
        "if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() in ("0 []", "0 ['rich']")


def test_metrics_lists_every_definition(tmp_path):
    from sbirctl.retrieval.definitions import PRESETS

    listed = json.loads(shell("sbirctl metrics --json", tmp_path).stdout)
    assert list(listed["definitions"]) == list(PRESETS)
    lines = shell("sbirctl metrics", tmp_path).stdout.splitlines()
    assert [line.split("\t")[1] for line in lines if line.startswith("definition")] == list(PRESETS)


BOTH = ["metric", "value", "unseen", "seen", "harmonic", "chance", "definition"]


@pytest.mark.parametrize(
    ("seen", "header"),
    [
        ([True, False, False], BOTH),
        ([True, True, True], ["metric", "value", "chance", "definition"]),
        ([False, False, False], ["metric", "value", "chance", "definition"]),
    ],
)
def test_seen_and_unseen_are_told_apart_where_there_are_both(vectors, tmp_path, seen, header):
    arrays = dict(np.load(vectors))
    np.savez(vectors, **arrays, seen=np.array(seen))
    done = shell("sbirctl evaluate vectors.npz --metric map@all", tmp_path)
    names, values = (line.split("\t") for line in done.stdout.splitlines()[:2])
    assert names == header
    if names == BOTH:
        found = dict(zip(names[2:5], map(float, values[2:5]), strict=True))
        a, b = found["seen"], found["unseen"]
        assert found["harmonic"] == pytest.approx(2 * a * b / (a + b), rel=1e-3)


def test_our_ranking_as_trec_and_back(vectors, tmp_path):
    line = "sbirctl evaluate vectors.npz -m map@all -m prec@5 --json"
    ours = json.loads(shell(f"{line} --trec ranking", tmp_path).stdout)
    line = "sbirctl evaluate ranking/run.txt --qrels ranking/qrels.txt -m map@all -m prec@5"
    theirs = json.loads(shell(f"{line} --json", tmp_path).stdout)
    assert theirs["metrics"] == pytest.approx(ours["metrics"], abs=1e-12)
    assert theirs["queries"] == ours["queries"]
    assert "as ranked" in shell(line, tmp_path).stdout
    for words, status, said in (
        ("--ci", 2, "--ci needs embeddings"),
        ("-d zsih", 4, "binary codes"),
        ("-d sake", 4, "over classes"),
    ):
        done = shell(f"{line} {words}", tmp_path)
        assert done.returncode == status
        assert said in done.stderr


def test_scores_of_pairs(vectors, tmp_path):
    with np.load(tmp_path / "vectors.npz") as given:
        q, g = (given[k] / np.linalg.norm(given[k], axis=1)[:, None] for k in ("query", "gallery"))
        labels = {k: given[k] for k in ("query_label", "gallery_label")}
    np.savez(tmp_path / "pairs.npz", distances=1 - q @ g.T, **labels)
    found = [
        json.loads(shell(f"sbirctl evaluate {name}.npz -m map@all --json", tmp_path).stdout)
        for name in ("vectors", "pairs")
    ]
    assert found[1]["metrics"] == pytest.approx(found[0]["metrics"], abs=1e-6)
    assert "distances as given" in found[1]["definitions"]["map@all"]
    done = shell("sbirctl tsne pairs.npz", tmp_path)
    assert done.returncode == 3
    assert "scores of pairs, not vectors" in done.stderr
