"""The pages of plug-ins, followed literally: as single files, and as one installed package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import sbirctl
from tests import forked

ROOT = Path(__file__).parents[2]
FILES = {
    "metric": "f1.py",
    "definition": "ours.toml",
    "engine": "rounded.py",
    "loss": "supcon.py",
    "model": "hermans.py",
    "data-set": "tiles.py",
}
SMALL = ["backbone=resnet10t", "size=32", "batch=8", "per_class=4", "epochs=1"]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def page(kind: str) -> str:
    return f"adding-{'an' if kind == 'engine' else 'a'}-{kind}.md"


def write_files(folder: Path) -> None:
    """Each page's file, and the card that the model's page shows."""
    for kind, name in FILES.items():
        language = "toml" if name.endswith("toml") else "python"
        (folder / name).write_text(blocks(page(kind), language)[0])


def run(*words: object, where: Path, path: tuple[Path, ...] = (), status: int = 0) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (*path, Path(sbirctl.__file__).parents[1]))),
        "SBIRCTL_HOME": str(where / "home"),
    }
    done = subprocess.run(
        [forked.python(), "-m", "sbirctl", *map(str, words)],
        env=environment, cwd=where, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with vectors, a data set of the page's layout, its class list, and photos."""
    where = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    label = np.arange(40) % 4
    np.savez(
        where / "vectors.npz",
        query=rng.normal(size=(40, 8)), gallery=rng.normal(size=(40, 8)),
        query_label=label, gallery_label=label,
    )  # fmt: skip
    for name in ("fish", "wave", "sun", "tree", "ship", "bird"):
        for number in range(4):
            photo = where / "tiles" / "photos" / name / f"{name}{number}.jpg"
            drawing = where / "tiles" / "drawings" / name / f"{name}{number}-1.png"
            for path in (photo, drawing):
                path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(photo)
            sheet = Image.new("L", (64, 64), 255)
            line = [tuple(point) for point in rng.integers(4, 60, (6, 2)).tolist()]
            ImageDraw.Draw(sheet).line(line, fill=0, width=2)
            sheet.save(drawing)
    (where / "my.txt").write_text(blocks("adding-a-data-set.md", "text")[0])
    return where


@pytest.fixture(scope="module")
def single(place) -> tuple[Path, tuple[Path, ...]]:
    """The files lie beside the data; nothing is installed."""
    write_files(place)
    return place, ()


@pytest.fixture(scope="module")
def installed(place, tmp_path_factory) -> tuple[Path, tuple[Path, ...]]:
    """One package with everything, installed as `pip install` does it, into a folder of its own."""
    source = tmp_path_factory.mktemp("source")
    package = source / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    write_files(package)
    card = blocks("adding-a-model.md", "toml")[0]
    (package / "hermans.toml").write_text(card)
    points = [
        block
        for kind in FILES
        for block in blocks(page(kind), "toml")
        if block.startswith("[project.entry-points")
    ]
    assert len(points) == len(FILES)
    (source / "pyproject.toml").write_text("\n".join([blocks("plugins.md", "toml")[0], *points]))
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", site, source], check=True)
    where = tmp_path_factory.mktemp("installed")
    for name in ("vectors.npz", "tiles", "my.txt"):
        (where / name).symlink_to(place / name)
    return where, (site,)


@pytest.fixture(params=["single", "installed"])
def way(request) -> tuple[Path, tuple[Path, ...], bool]:
    return (*request.getfixturevalue(request.param), request.param == "single")


def test_a_metric_and_a_definition(way):
    where, path, alone = way
    plugins = ["--plugin", "f1.py", "--plugin", "ours.toml"] if alone else []
    words = ["evaluate", "vectors.npz", "-m", "f1@10", "-m", "f@5", "--json", *plugins]
    found = json.loads(run(*words, where=where, path=path))
    data = np.load(where / "vectors.npz")
    expected = []
    for query, label in zip(data["query"], data["query_label"], strict=True):
        cosine = data["gallery"] @ query / np.linalg.norm(data["gallery"], axis=1)
        hits = (data["gallery_label"] == label)[np.argsort(-cosine, kind="stable")[:10]].sum()
        expected.append(2 * hits / (10 + 10))
    assert found["metrics"]["f1@10"] == pytest.approx(np.mean(expected))
    assert set(found["metrics"]) == {"f1@10", "f1@5"}
    assert 0 < found["chance"]["f1@10"] < 1
    words = ["evaluate", "vectors.npz", "-m", "map@5", "--definition", "ours", "--json", *plugins]
    ours = json.loads(run(*words, where=where, path=path))
    assert ours["definition"]["name"] == "ours"
    by_hand = sbirctl.evaluate(
        str(where / "vectors.npz"), metrics="map@5",
        definition=sbirctl.metrics.definition(denominator="R", average="class"),
    )  # fmt: skip
    assert ours["metrics"]["map@5"] == pytest.approx(by_hand["map@5"])
    table = run("audit", "vectors.npz", *plugins, where=where, path=path)
    assert "\nours\t" in table
    listed = run("metrics", *plugins, where=where, path=path)
    assert "metric\tf1@K" in listed
    assert "definition\tours" in listed


def test_a_definition_by_its_file(single):
    where, _ = single
    words = ["evaluate", "vectors.npz", "-m", "map@5", "--json"]
    one = json.loads(run(*words, "--definition", "ours.toml", where=where))
    assert one["definition"]["denominator"] == "R"
    wrong = where / "wrong.toml"
    wrong.write_text('denominator = "S"\n')
    refused = run(*words, "--definition", "wrong.toml", where=where, status=2)
    assert "denominator=S" in refused


def test_an_engine(way):
    where, path, alone = way
    plugins = ["--plugin", "rounded.py"] if alone else []
    words = ["index", "tiles/photos", "--gallery", "mine", "--engine", "rounded", *plugins]
    run(*words, where=where, path=path)
    drawing = "tiles/drawings/fish/fish0-1.png"
    words = ["search", drawing, "--gallery", "mine", "-k", "3", "--json", *plugins]
    found = json.loads(run(*words, where=where, path=path))
    words = ["index", "--gallery", "mine", "--engine", "exact", *plugins]
    run(*words, where=where, path=path)
    words = ["search", drawing, "--gallery", "mine", "-k", "3", "--json"]
    exact = json.loads(run(*words, where=where, path=path))

    both = [[photo["score"] for photo in one["rows"][0]["photos"]] for one in (found, exact)]
    assert len(both[0]) == 3
    assert both[0] == pytest.approx(both[1], abs=2e-3)


def test_a_data_set_a_model_and_its_loss(way):
    where, path, alone = way
    plugins = [
        word for name in ("tiles.py", "hermans.py", "supcon.py") for word in ("--plugin", name)
    ]
    plugins = plugins if alone else []
    run("prepare", "tiles", "--from", "tiles", "--size", "32", *plugins, where=where, path=path)
    sets = [word for text in [*SMALL, "loss=supcon"] for word in ("--set", text)]
    words = ["--dataset", "tiles", "--split", "my.txt", "--weights", "none", *sets, *plugins]
    for model in ("hermans", "baseline"):
        words_of = [*words, *(["--set", "dim=8"] if model == "baseline" else [])]
        trained = run("train", model, *words_of, where=where, path=path).strip()
        found = run(
            "evaluate", trained, "-m", "map@all", "--json", *plugins, where=where, path=path
        )
        assert 0 < json.loads(found)["metrics"]["map@all"] <= 1
        log = (Path(trained) / "log.jsonl").read_text()
        assert "supcon" in log
    listed = run("models", *plugins, where=where, path=path)
    assert ("Hermans 2017" in listed) == (not alone)
    assert "hermans\t" in listed


@pytest.mark.parametrize("kind", FILES)
def test_check_finds_nothing(way, kind):
    where, path, alone = way
    name = FILES[kind] if alone else FILES[kind].partition(".")[0]
    given = ["--from", "tiles"] if kind == "data-set" else []
    found = json.loads(run("check", name, *given, "--json", where=where, path=path))["rows"]
    assert len({(one["kind"], one["name"]) for one in found}) == 1
    assert len(found) >= 3
    assert [one["problem"] for one in found if one["problem"]] == []


def test_what_is_no_plug_in_is_refused(single, tmp_path):
    where, _ = single
    assert "no file none.py" in run("metrics", "--plugin", "none.py", where=where, status=3)
    assert "is no plug-in" in run("metrics", "--plugin", "vectors.npz", where=where, status=2)
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    message = run("metrics", "--plugin", tmp_path / "broken.py", where=where, status=1)
    assert "ModuleNotFoundError: No module named 'nothing_of_that_name'" in message
    (tmp_path / "taken.py").write_text(
        "from sbirctl.metrics import measure\n"
        "@measure('map', summary='mine', describe=lambda m, d: '')\n"
        "def mine(metric, definition, ranks): ...\n"
    )
    message = run("metrics", "--plugin", tmp_path / "taken.py", where=where, status=2)
    assert "There is a metric 'map' already" in message
    assert "no model, data set" in run("check", "nothing", where=where, status=2)
    (tmp_path / "empty.py").write_text("x = 1\n")
    assert "registers nothing" in run("check", tmp_path / "empty.py", where=where, status=2)


def test_a_fault_ends_check_with_status_1(tmp_path):
    (tmp_path / "bad.py").write_text(blocks("adding-a-metric.md", "python")[0].replace(
        "return left_out(definition, 2 * found / (metric.k + ranks.relevant), found)",
        "return -found.astype(float)",
    ))  # fmt: skip
    run("check", "bad.py", where=tmp_path, status=1)
