"""`datasets export`: what the task for MTEB holds, and that it measures what we measure."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sbirctl.cli import _app
from sbirctl.retrieval import definitions
from sbirctl.retrieval.ranked_lists import of_ranked
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, Holdout, split_for


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(root / "home"))
        words = "prepare demo --set per_class=4 --size 32 --workers 1"
        assert _app.run(words.split()) == 0
        yield root


@pytest.fixture
def export(place, tmp_path, capfd):
    def call(*words):
        capfd.readouterr()
        code = _app.run(["datasets", "export", "demo", "-o", str(tmp_path / "task"), *words])
        said = capfd.readouterr()
        return code, tmp_path / "task", said.err

    return call


def listed(folder: Path, name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def parts_of(folder: Path) -> dict:
    """METRICS, PARTS and `measured` of a task.py, without importing mteb."""
    wanted = {"METRICS", "PARTS", "WITHIN_CLASS"}
    kept = [
        node
        for node in ast.parse((folder / "task.py").read_text()).body
        if (isinstance(node, ast.FunctionDef) and node.name == "measured")
        or (isinstance(node, ast.Assign) and node.targets[0].id in wanted)
    ]
    names = {"accumulate": itertools.accumulate}
    exec(compile(ast.Module(kept, []), "task.py", "exec"), names)
    return names


def test_the_folder_holds_the_test_side(export):
    code, folder, _ = export()
    assert code == 0
    store = Store.open("demo")
    task = TASKS.get("cg")
    test = task.build(store, None, split_for(store), task.Options(), Holdout(0.0)).test
    for name, side in (("queries", test.sketch), ("corpus", test.photo)):
        rows = listed(folder, name)
        assert [row["id"] for row in rows] == list(side.ids)
        assert [row["label"] for row in rows] == [test.classes[i] for i in side.label]
        for i in (0, len(rows) - 1):
            stored = store.read(side.modality, side.row[[i]])[0].squeeze()
            assert np.array_equal(np.asarray(Image.open(folder / rows[i]["file"])), stored)
    assert not list(folder.parent.glob(".*"))


def test_fine_grained_sketches_are_ranked_within_their_class(export):
    code, folder, _ = export("--task", "fg")
    assert code == 0
    corpus = {row["label"]: row for row in listed(folder, "corpus")}
    queries = listed(folder, "queries")
    assert queries
    assert all(corpus[row["label"]]["class"] == row["class"] for row in queries)
    found = parts_of(folder)
    assert found["WITHIN_CLASS"] is True
    assert found["METRICS"] == [("acc", 1), ("acc", 5), ("acc", 10)]


@pytest.mark.parametrize("name", ["standard", "sake", "zse", "yelamarthi", "clipprompt",
                                  "dsn", "tcn", "ffmln-paper"])  # fmt: skip
def test_it_measures_as_we_do(export, name):
    code, folder, err = export(
        *("-d", name, "-m", "map@10", "-m", "map@all", "-m", "prec@10", "-m", "prec@40")
    )
    assert code == 0, err
    found, rng = parts_of(folder), np.random.default_rng(0)
    assert found["METRICS"] == [("map", 10), ("map", None), ("prec", 10), ("prec", 40)]
    # a mean over classes is taken of the same values a query
    each = replace(definitions.get(name), average="query")
    for _ in range(30):
        hits = rng.random(30) < rng.choice([0.02, 0.2, 0.6])
        if not hits.any():
            continue
        for kind, k in found["METRICS"]:
            ours = of_ranked(hits[None], f"{kind}@{k or 'all'}", each)[0]
            theirs = found["measured"](kind, k, hits.tolist(), int(hits.sum()), 30)
            assert (np.isnan(ours) and theirs is None) or theirs == pytest.approx(ours)


@pytest.mark.parametrize(
    "words, told",
    [
        (["-d", "sempcyc"], "ties=grouped"),
        (["-d", "sketch-lvm"], "gallery=drawn"),
        (["-d", "zsih"], "similarity=hamming"),
        (["-m", "acc@1"], "acc@1 is not exported for cg"),
        (["--task", "fg", "-m", "map@10"], "map@10 is not exported for fg"),
        (["--set", "nothing=1"], "nothing"),
    ],
)
def test_what_cannot_be_measured_there_is_refused(export, words, told):
    code, folder, err = export(*words)
    assert code == 2
    assert told in err
    assert not folder.exists()


def test_a_folder_that_is_there_stays(export):
    _, folder, _ = export()
    before = (folder / "task.py").stat().st_mtime_ns
    code, _, err = export()
    assert code == 2
    assert "is there already" in err
    assert (folder / "task.py").stat().st_mtime_ns == before


def test_mteb_gives_our_figures(export):
    mteb = pytest.importorskip("mteb")
    from sbirctl import evaluate

    code, folder, _ = export("-m", "map@10", "-m", "prec@10")
    assert code == 0
    spec = importlib.util.spec_from_file_location("exported_task", folder / "task.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    task = module.CgDemoUnseen7I2IRetrieval()
    results = mteb.evaluate(_pixels(), task, cache=None, overwrite_strategy="always")
    found = results[0].scores["test"][0]
    task.load_data()
    part = task.dataset["default"]["test"]
    ours = evaluate(
        *(vectors(part[name]["image"]) for name in ("queries", "corpus")),
        *([row["label"] for row in listed(folder, name)] for name in ("queries", "corpus")),
        metrics=["map@10", "prec@10"],
    )
    assert found["main_score"] == found["map_at_10_standard"]
    assert found["map_at_10_standard"] == pytest.approx(ours["map@10"], abs=1e-6)
    assert found["precision_at_10"] == pytest.approx(ours["prec@10"], abs=1e-5)


def vectors(images) -> np.ndarray:
    """Grey values of 12 × 12 pixels, of unit length."""
    small = [np.asarray(image.convert("L").resize((12, 12)), float).ravel() for image in images]
    centred = np.stack(small) - np.mean(small, axis=1, keepdims=True)
    return (centred / np.linalg.norm(centred, axis=1, keepdims=True)).astype(np.float32)


def _pixels():
    from mteb.models import ModelMeta
    from mteb.models.abs_encoder import AbsEncoder

    class Pixels(AbsEncoder):
        mteb_model_meta = ModelMeta.create_empty(
            overwrites={"name": "own/pixels", "revision": "1", "modalities": ["image"]}
        )

        def __init__(self):
            pass

        def encode(self, inputs, **_):
            return np.concatenate([vectors(batch["image"]) for batch in inputs])

    return Pixels()
