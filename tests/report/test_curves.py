import json
from dataclasses import replace

import embedded
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.report import style
from sbirctl.report.curves import RECALLS, ranking_curves
from sbirctl.report.curves_figure import draw_ranking, draw_training
from sbirctl.report.curves_log import read_log
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.metrics import parse


def naive(e):
    """Interpolated precision of every query by plain loops."""
    values = []
    for q, label in zip(e.query, e.query_label, strict=True):
        cosine = (e.gallery @ q) / np.linalg.norm(e.gallery, axis=1)
        right = e.gallery_label[np.argsort(-cosine)] == label
        points = [
            (right[: i + 1].sum() / right.sum(), right[: i + 1].mean()) for i in range(len(right))
        ]
        values.append([max(p for r, p in points if r >= x - 1e-12) for x in RECALLS])
    return np.array(values)


def test_precision_over_recall_is_the_naive_loops():
    e = embedded.embeddings()
    found = ranking_curves(e, resamples=20)
    assert found.recall.y == pytest.approx(naive(e).mean(axis=0), abs=1e-9)
    assert (np.diff(found.recall.y) <= 1e-12).all()
    assert found.queries == len(e.query)


@pytest.mark.parametrize("scope", ["all", "class"])
def test_precision_at_k_is_what_evaluate_prints(scope):
    e = embedded.embeddings()
    if scope == "class":  # two categories of two classes, of 20 + 20 queries turned to 30 + 10
        group = [np.where(label < 2, 0, 1) for label in (e.query_label, e.gallery_label)]
        kept = np.flatnonzero((group[0] == 0) | (np.arange(len(e.query)) < 20))
        e = replace(
            e, query=e.query[kept], query_label=e.query_label[kept], scope="class",
            query_group=group[0][kept], gallery_group=group[1], groups=("x", "y"),
        )  # fmt: skip
    found = ranking_curves(e, resamples=20)
    for k in (1, 5, 10):
        (result,) = evaluate(e, [parse(f"prec@{k}")], [get("standard")])
        (place,) = np.flatnonzero(found.cut.x == k)
        assert found.cut.y[place] == pytest.approx(result.mean(f"prec@{k}"))


def test_k_ends_with_the_gallery():
    e = embedded.embeddings(photos=12)
    cut = ranking_curves(e, resamples=20).cut
    assert cut.x[[0, -1]].tolist() == [1, 12]
    assert cut.y[-1] == pytest.approx(3 / 12)  # all photos: 3 of each of 4 classes


def log(path, *lines, tail=""):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + tail)
    return path


def step(number, phase="train", **terms):
    return {
        "event": "step",
        "step": number,
        "phase": phase,
        "stage": "s",
        "epoch": 1,
        "lr": 0.1,
    } | (terms)


def epoch(number, **figures):
    return {
        "event": "epoch",
        "step": 9,
        "phase": "train",
        "stage": "s",
        "epoch": number,
        "loss": 1,
    } | (figures)


def test_a_log_becomes_series(tmp_path):
    path = log(
        tmp_path / "log.jsonl",
        step(1, norm=2.0, total=3.0, triplet=1.0),
        step(5, norm=1.0, total=None, triplet=0.5),
        epoch(1, **{"val_map@all": 0.2, "unseen_map@all": 0.1}),
        epoch(1, **{"val_map@all": 0.3, "unseen_map@all": 0.2}),  # another stage counts on
        step(6, "refit", triplet=0.4),
        {"event": "stopped", "step": 6, "why": "a kill"},
        tail='{"event": "step", "st',  # cut off while it was written
    )
    found = {(s.kind, s.name, s.phase): s for s in read_log(path)}
    assert next(iter(found)) == ("loss", "triplet", "train")
    assert ("loss", "lr", "train") not in found
    triplet = found["loss", "triplet", "train"]
    assert triplet.x.tolist() == [1, 5]
    assert triplet.y.tolist() == [1.0, 0.5]
    assert np.isnan(found["loss", "total", "train"].y).tolist() == [False, True]
    assert found["validation", "map@all", "train"].x.tolist() == [1, 2]
    assert found["unseen", "map@all", "train"].y.tolist() == [0.1, 0.2]
    assert found["loss", "triplet", "refit"].x.tolist() == [6]


def test_damaged_and_empty_logs(tmp_path):
    with pytest.raises(CorruptError, match="line 1"):
        read_log(log(tmp_path / "a", tail='{"oh\n{"event": "step", "step": 1}\n'))
    with pytest.raises(CorruptError, match="line 1"):
        read_log(log(tmp_path / "b", tail="[1]\n"))
    with pytest.raises(CorruptError, match="line 1"):
        read_log(log(tmp_path / "e", tail="[" * 100_000 + "\n"))
    with pytest.raises(MissingError, match="no figures"):
        read_log(log(tmp_path / "c"))
    with pytest.raises(MissingError, match="no training log"):
        read_log(tmp_path / "d")


@pytest.mark.parametrize("columns", [1, 2])
def test_pictures_of_two_runs(tmp_path, columns):
    path = log(
        tmp_path / "log.jsonl",
        *(step(i, softmax=1 / i, total=1 / i) for i in range(1, 9)),
        epoch(1, **{"val_map@all": 0.2, "unseen_map@all": 0.1}),
    )
    runs = [read_log(path)] * 2
    names = ["one", "a very long $name$ of a run " * 2]
    figure = draw_training(runs, names, columns=columns)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["softmax", "map@all"]  # a total of one term is that term
    assert len(figure.axes[0].lines) == 2
    assert len(figure.axes[1].lines) == 4
    curves = [ranking_curves(embedded.embeddings(seed=s), resamples=20) for s in (0, 1)]
    for name, made in (
        ("t", figure),
        ("r", draw_ranking(curves, names, level=0.95, columns=columns)),
    ):
        style.save(made, tmp_path / f"{name}.png")
        canvas = FigureCanvasAgg(made)
        canvas.draw()
        legend = made.legends[0].get_window_extent(canvas.get_renderer())
        width, _ = canvas.get_width_height()
        assert legend.x0 >= -1
        assert legend.x1 <= width + 1
        for axes in made.axes:
            assert axes.get_tightbbox(canvas.get_renderer()).y0 >= legend.y1 - 1
