"""The calls of `import sbirctl`: what they return equals what the command line prints."""

import json
import subprocess
import sys

import numpy as np
import pytest

import sbirctl
from sbirctl import metrics
from tests import forked

RNG = np.random.default_rng(5)
CENTRE = RNG.standard_normal((4, 12))
Q, G = np.arange(40) % 4, np.arange(60) % 4
NAMES = np.array(["ape", "bat", "cat", "dog"])


@pytest.fixture(scope="module")
def arrays():
    query = CENTRE[Q] + 2 * RNG.standard_normal((40, 12))
    gallery = CENTRE[G] + 2 * RNG.standard_normal((60, 12))
    return query, gallery, NAMES[Q], NAMES[G]


@pytest.fixture(scope="module")
def file(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "vectors.npz"
    keys = ("query", "gallery", "query_label", "gallery_label")
    np.savez(path, **dict(zip(keys, arrays, strict=True)))
    return path


def command(*words):
    done = subprocess.run(
        [forked.python(), "-m", "sbirctl", *map(str, words)], capture_output=True, check=True
    )
    return json.loads(done.stdout)


def naive_map(query, gallery, query_label, gallery_label):
    q = query / np.linalg.norm(query, axis=1, keepdims=True)
    g = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    values = []
    for row, label in zip(q @ g.T, query_label, strict=True):
        hit = gallery_label[np.argsort(-row, kind="stable")] == label
        values.append(np.mean([hit[: r + 1].mean() for r in np.flatnonzero(hit)]))
    return np.mean(values)


def test_arrays_files_tensors_and_the_command_agree(arrays, file):
    import torch

    found = sbirctl.evaluate(*arrays, metrics=["map@all", "p@10"])
    assert found["map@all"] == pytest.approx(naive_map(*arrays), abs=1e-6)
    assert found["p@10"] == found["prec@10"]
    printed = command("evaluate", file, "-m", "map@all", "-m", "prec@10", "--json")
    assert dict(found) == printed["metrics"]
    assert dict(sbirctl.evaluate(file, metrics=["map@all", "prec@10"])) == dict(found)
    tensors = [torch.tensor(arrays[0], requires_grad=True), torch.tensor(arrays[1])]
    numbers = [torch.tensor(Q), torch.tensor(G)]
    assert sbirctl.evaluate(*tensors, *numbers)["map@all"] == found["map@all"]
    lists = [side.tolist() for side in arrays]
    assert sbirctl.evaluate(*lists)["map@all"] == found["map@all"]


def test_scores_have_values_by_query_and_intervals(arrays):
    found = sbirctl.evaluate(*arrays, metrics="map@all", interval="class", per_class=True)
    assert found.per_query("map@all").mean() == pytest.approx(found["map@all"])
    low, high = found.interval("map@all")
    assert low <= found["map@all"] <= high
    assert set(found.facts["per_class"]) == set(NAMES)
    assert 0.2 < found.chance["map@all"] < 0.35
    with pytest.raises(KeyError, match="map@5 was not measured"):
        found["map@5"]
    with pytest.raises(sbirctl.SbirctlError, match="no intervals"):
        sbirctl.evaluate(*arrays).interval("map@all")


def test_a_definition_by_name_or_with_changes(arrays):
    by_name = sbirctl.evaluate(*arrays, metrics=["map@10"], definition="sempcyc")
    changed = metrics.definition("standard", denominator="hits", ties="grouped")
    assert by_name["map@10"] != sbirctl.evaluate(*arrays, metrics=["map@10"])["map@10"]
    assert sbirctl.evaluate(*arrays, metrics=["map@10"], definition=changed)[
        "map@10"
    ] == pytest.approx(by_name["map@10"], abs=0.02)  # cosine here, Euclidean there
    with pytest.raises(sbirctl.SbirctlError, match="no definition"):
        sbirctl.evaluate(*arrays, definition="sempcic")


def test_own_photos_by_instance(arrays):
    instance = np.arange(40)
    found = sbirctl.evaluate(
        arrays[0],
        arrays[0] + 0.01,
        arrays[2],
        arrays[2],
        metrics=["acc@1"],
        query_instance=instance,
        gallery_instance=instance,
    )
    assert found["acc@1"] == 1.0


def test_what_does_not_fit_is_refused(arrays, file):
    with pytest.raises(sbirctl.SbirctlError, match="Four arrays are needed"):
        sbirctl.evaluate(arrays[0], arrays[1])
    with pytest.raises(sbirctl.SbirctlError, match="no 'query_instances'"):
        sbirctl.evaluate(*arrays, query_instances=Q)
    with pytest.raises(sbirctl.SbirctlError, match="brings its own"):
        sbirctl.evaluate(file, query_instance=Q)
    with pytest.raises(sbirctl.SbirctlError) as raised:
        sbirctl.evaluate(*arrays, metrics=["mpa@all"])
    assert "Did you mean 'map@all'" in raised.value.hint
    assert raised.value.__notes__ == [raised.value.hint]


def test_warnings_are_pythons(arrays):
    one = np.ones((20, 4))
    with pytest.warns(sbirctl.SbirctlWarning, match="only 1 distinct vector"):
        sbirctl.evaluate(one, one, np.arange(20) % 2, np.arange(20) % 2)


def test_audit_and_compare(arrays, file):
    table = sbirctl.audit(*arrays)
    (printed,) = command("audit", file, "--json")["rows"]
    rows = printed["definitions"]
    assert table["sake"]["map@all"] == rows["sake"]["map@all"] != rows["sempcyc"]["map@200"]
    worse = sbirctl.Embeddings.from_arrays(
        arrays[0] + 15 * np.random.default_rng(1).standard_normal(arrays[0].shape), *arrays[1:]
    )
    found = sbirctl.compare(sbirctl.Embeddings.from_arrays(*arrays), worse, unit="query")
    own = sbirctl.evaluate(*arrays)["map@all"] - sbirctl.evaluate(worse)["map@all"]
    assert found["map@all"].difference == pytest.approx(own)
    assert found["map@all"].p < 0.01
    assert found[0].metric == "map@all"


def test_results_show_themselves(arrays):
    found = sbirctl.evaluate(*arrays, metrics=["map@all"], interval="class")
    header, row = repr(found).splitlines()
    assert header.split() == ["metric", "value", "low", "high", "chance"]
    assert row.split()[:2] == ["map@all", f"{found['map@all']:.4f}"]
    assert f"<td>{found['map@all']:.4f}</td>" in found._repr_html_()
    pandas = pytest.importorskip("pandas")
    frame = found.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.loc["map@all", "value"] == found["map@all"]


def test_pictures(arrays):
    table = sbirctl.audit(*arrays, metrics=["map@all"])
    (line,) = table.plot().get_lines()
    assert list(line.get_xdata()) == [table[name]["map@all"] for name in table]
    found = sbirctl.compare(
        sbirctl.Embeddings.from_arrays(*arrays), sbirctl.Embeddings.from_arrays(*arrays)
    )
    assert found.plot().get_xlabel() == "A - B"
    figures = sbirctl.evaluate(*arrays, metrics=["map@all", "prec@10"], interval="query")
    lengths = [bar.get_width() for bar in figures.plot().patches]
    assert lengths == [figures["map@all"], figures["prec@10"]]


def test_a_figure_that_is_none_is_not_a_number(arrays):
    query, gallery, query_label, gallery_label = arrays
    some = gallery_label != "dog"
    found = sbirctl.evaluate(
        query, gallery[some], query_label, gallery_label[some],
        metrics="map@all", definition="ffmln",
    )  # fmt: skip
    assert np.isnan(found["map@all"])
    assert found.facts["metrics"]["map@all"] is None


def test_of_ranked_by_hand():
    relevance = [[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert metrics.of_ranked(relevance, "map@all")[:2] == pytest.approx([(1 + 2 / 3) / 2, 1 / 4])
    assert np.isnan(metrics.of_ranked(relevance, "map@all")[2])
    assert metrics.of_ranked(relevance, "map@all", "sempcyc")[2] == 0
    assert metrics.of_ranked(relevance, "prec@2")[:2] == pytest.approx([0.5, 0])
    assert metrics.of_ranked(relevance[:2], "acc@3") == pytest.approx([1, 0])
    # A cut ranking: 5 relevant in all, of which two are among the first four.
    assert metrics.of_ranked(relevance[:1], "recall@4", relevant=[5]) == pytest.approx([0.4])
    assert metrics.of_ranked(relevance[:1], "map@4", relevant=[5]) == pytest.approx([(5 / 3) / 4])
    with pytest.raises(sbirctl.SbirctlError, match="looks further"):
        metrics.of_ranked(relevance[:1], "map@all", relevant=[5])
    with pytest.raises(sbirctl.SbirctlError, match="at least"):
        metrics.of_ranked(relevance[:1], "map@4", relevant=[1])


def test_what_is_offered_is_there_and_light():
    tree_names = set(dir(sbirctl))
    offered = {
        "audit", "compare", "create", "embed", "evaluate", "load", "open_store", "prepare",
        "rerank", "search", "train", "Embeddings", "SbirctlError",
    }  # fmt: skip
    assert offered <= tree_names
    for name in offered:
        assert getattr(sbirctl, name).__doc__
    code = "import sbirctl, sys; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = "import sbirctl, sys; sbirctl.evaluate; sbirctl.audit; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_rerank_gives_a_file_that_warns(file, tmp_path):
    made = sbirctl.rerank(file, method="k-reciprocal", out=tmp_path / "k.h5", k1=5, **{"lambda": 1})
    with pytest.warns(sbirctl.SbirctlWarning, match="re-ranked by k-reciprocal"):
        found = sbirctl.evaluate(made, metrics="map@all")
    assert found["map@all"] == sbirctl.evaluate(file, metrics="map@all")["map@all"]
