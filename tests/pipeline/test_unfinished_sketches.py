"""`curves --strokes` and `robustness` on a small trained run, its own SVG sketches and others."""

import csv
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sbirctl.cli import _app
from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.progress import Reporter
from sbirctl.datasets.readers.stroke_files import StrokeFiles
from sbirctl.drawings.strokes import Pen, render
from sbirctl.drawings.svg import parse_svg
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.prepare import prepare
from sbirctl.pipeline.robustness import robustness
from sbirctl.pipeline.stroke_curves import _chosen, _of_several, stroke_curves
from sbirctl.pipeline.train import train
from sbirctl.retrieval.embeddings import read
from sbirctl.retrieval.target_ranks import target_ranks
from sbirctl.splits.store_lists import UnseenChoice

SMALL = ("backbone=mobilenetv3_small_050", "size=32", "batch=16", "per_class=2", "dim=16")
EACH = 4


class Told(Reporter):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A home with an embedded run; `lines` has its sketches as SVG, in folders of their classes."""
    root = tmp_path_factory.mktemp("unfinished")
    rng = np.random.default_rng(0)
    for label in range(7):
        for kind in ("photo", "sketch", "lines"):
            (root / kind / f"thing {label}").mkdir(parents=True)
        for k in range(EACH):
            name = f"thing {label}/p{label}x{k}"
            pixels = rng.integers(0, 256, (20, 20, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / "photo" / f"{name}.png")
            lines = " ".join(f"L {x} {y}" for x, y in rng.integers(1, 99, (6, 2)))
            text = (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
                f'<path d="M 5 5 {lines}"/><path d="M 90 10 L 10 {10 + label}"/></svg>'
            )
            (root / "lines" / f"{name}-1.svg").write_text(text)
            drawing = parse_svg(text.encode())
            drawn = render(drawing.strokes, Pen(), drawing.sheet)
            drawn.save(root / "sketch" / f"{name}-1.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(root / "home"))
        prepare(
            "folder",
            {"photos": [root / "photo"], "sketches": [root / "sketch"]},
            name="small",
            settings={"size": 32},
            unseen=UnseenChoice(names=("thing 5", "thing 6")),
            workers=1,
        )
        run = train(
            "baseline", dataset="small", assignments=(*SMALL, "val=none"), weights="none",
            epochs=1, workers=0,
        )  # fmt: skip
        embed(run)
        yield root, run


def test_a_finished_drawing_ranks_as_the_sketch_of_the_data_set(world, tmp_path):
    root, run = world
    for target, what in (("class", "class"), ("own", "photo")):
        told = Told()
        picture = stroke_curves(
            run, root / "lines", tmp_path / f"{target}.svg", target=target, report=told
        )
        facts = json.loads(picture.with_suffix(".json").read_text())
        assert facts["photos"] == 2 * EACH
        assert len(facts["drawings"]) == 2 * EACH
        assert facts["left_out"] == {f"drawings whose {what} is not in the gallery": 20}
        assert any("20 drawings whose" in text for text in told.warnings)
        e = read(run / "embeddings.h5")  # in the order of the files: sketch i is drawn from photo i
        number = np.arange(2 * EACH)
        wanted = target_ranks(replace(e, query_instance=number, gallery_instance=number), target)
        assert [one["ranks"][-1] for one in facts["drawings"]] == wanted.tolist()
        rows = list(csv.DictReader(picture.with_suffix(".csv").open()))
        assert [row["share"] for row in rows] == [f"{i / 10:g}" for i in range(1, 11)]
        ranks = np.array([one["ranks"] for one in facts["drawings"]])
        assert float(rows[3]["1/rank"]) == pytest.approx((1 / ranks[:, 3]).mean(), abs=1e-6)
        assert 0 < facts["area"]["rank percentile"]["low"] <= 1
        assert "chance" in picture.read_text()


def test_target_ranks_are_those_of_a_loop(world):
    e = read(world[1] / "embeddings.h5")
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (e.query, e.gallery)]
    for i, scores in enumerate(unit[0] @ unit[1].T):
        order = np.argsort(-scores, kind="stable")
        first = np.flatnonzero(e.gallery_label[order] == e.query_label[i])[0] + 1
        assert target_ranks(e, "class")[i] == first


def test_lines_of_quick_draw_are_left_out_by_reason(world, tmp_path):
    lines = [
        {"word": "Thing_5", "key_id": "1", "drawing": [[[0, 9], [0, 9]]]},
        {"word": "thing 5", "key_id": "2", "drawing": [[[0, 9, 3], [5, 9, 1]], [[1], [1]]]},
        {"word": "thing 5", "key_id": "3", "recognized": False, "drawing": [[[0, 9], [0, 9]]]},
        {"word": "thing 6", "key_id": "4", "drawing": []},
        {"word": "moon", "key_id": "5", "drawing": [[[0, 9], [0, 9]]]},
    ]
    file = tmp_path / "x.NDJSON"
    file.write_text("\n".join(json.dumps(one) for one in lines) + "\n{broken\n")
    made = stroke_curves(world[1], file, tmp_path / "s.png", per_class=1)
    facts = json.loads(made.with_suffix(".json").read_text())
    assert [one["name"] for one in facts["drawings"]] == ["1"]
    assert facts["left_out"] == {
        "drawings beyond 1 of a class": 1,
        "drawings that were not recognized": 1,
        "drawings that cannot be read": 2,
        "drawings whose class is not in the gallery": 1,
    }


def test_what_cannot_be_drawn_is_refused(world, tmp_path):
    root, run = world
    (tmp_path / "moon").mkdir()
    with pytest.raises(MissingError, match="holds no strokes"):
        stroke_curves(run, tmp_path / "moon")
    (tmp_path / "moon" / "a.svg").write_bytes(next((root / "lines").rglob("*.svg")).read_bytes())
    with pytest.raises(MismatchError, match="has a target among 8 photos"):
        stroke_curves(run, tmp_path / "moon")
    with pytest.raises(UsageError, match="no target 'photo'"):
        stroke_curves(run, root / "lines", target="photo")


def test_photos_of_one_name_are_told(world, tmp_path, monkeypatch):
    root, run = world
    e = read(run / "embeddings.h5")
    paths = e.gallery_path.copy()
    paths[1] = paths[0]
    same = replace(e, gallery_path=paths)
    left: Counter[str] = Counter()
    drawings = list(StrokeFiles(root / "lines" / "thing 5"))
    found = _chosen(drawings, same, "own", 20, left)
    assert len(found) == EACH - 2
    assert left == {"drawings whose name several photos have": 1,
                    "drawings whose photo is not in the gallery": 1}  # fmt: skip


def test_a_drawing_for_which_one_photo_is_ranked_is_left_out(world):
    e = read(world[1] / "embeddings.h5")
    group = np.arange(len(e.gallery)) // 3
    alone = replace(e, scope="class", query_group=group, gallery_group=group)
    left: Counter[str] = Counter()
    chosen = [(None, row) for row in range(len(e.gallery))]  # groups of 3, 3 and 2
    assert _of_several(chosen, alone, left) == chosen
    single = replace(alone, gallery_group=np.r_[np.zeros(7, int), 1])
    assert _of_several(chosen, single, left) == chosen[:7]
    assert left == {"drawings for which a single photo is ranked": 1}


@pytest.mark.parametrize(
    "words",
    [
        ("--each", "3"), ("--target", "own"), ("--leaks", "drop"), ("--dataset", "small"),
        ("--strokes", "lines", "--max-k", "9"), ("--strokes", "lines", "--label", "x"),
        ("--training", "--max-k", "9"),
    ],
)  # fmt: skip
def test_options_of_another_picture_are_refused(world, capsys, words):
    assert _app.run(["curves", *words]) == 2
    assert "goes with" in capsys.readouterr().err


@pytest.mark.slow
def test_a_robustness_card(world, tmp_path):
    _, run = world
    card = robustness(run, tmp_path / "card.svg", queries=6)
    text = card.read_text()
    for name in ("line width", "missing strokes", "rotation", "noise", "scale", "mirrored"):
        assert name in text
    facts = json.loads(card.with_suffix(".json").read_text())
    assert facts["queries"] == 6
    assert [one["name"] for one in facts["distortions"]][-1] == "mirrored"
    assert len({t["value"] for one in facts["distortions"] for t in one["trials"]}) > 1
    again = robustness(run, tmp_path / "again.svg", queries=6)
    assert again.read_bytes() == card.read_bytes()


def test_all_queries_as_drawn_have_the_figure_of_evaluate(world, tmp_path, capsys):
    _, run = world
    assert _app.run(["robustness", str(run), "-m", "map@5", "-o", str(tmp_path / "c.png")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "c.png")
    facts = json.loads((tmp_path / "c.json").read_text())
    assert _app.run(["evaluate", str(run), "-m", "map@5", "--json"]) == 0
    wanted = json.loads(capsys.readouterr().out)["metrics"]["map@5"]
    assert facts["as drawn"]["value"] == pytest.approx(wanted, abs=1e-9)
    assert facts["metric"] == "map@5"
