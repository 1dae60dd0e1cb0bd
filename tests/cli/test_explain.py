"""`sbirctl explain`: every figure that a command prints is explained."""

import json

import numpy as np
import pytest

from sbirctl.cli import _app
from sbirctl.pipeline.explain import explain, explanations
from sbirctl.retrieval.chance import expected
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.metrics import MEASURES, parse


def test_every_metric_is_explained():
    for measure in MEASURES.values():
        for cut in ("all", "200") if measure.allows_all else ("200",):
            assert explain(f"{measure.kind}@{cut}") or cut == "all"


@pytest.mark.parametrize(
    "words",
    [["evaluate", "0.npz", "--ci", "class"], ["compare", "0.npz", "1.npz"], ["audit", "0.npz"]],
)
def test_every_column_of_figures_is_explained(words, tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    for i in (0, 1):
        label = np.arange(30) % 3
        sides = {"query": rng.standard_normal((30, 4)), "gallery": rng.standard_normal((30, 4))}
        np.savez(tmp_path / f"{i}.npz", **sides, query_label=label, gallery_label=label)
    monkeypatch.chdir(tmp_path)
    assert _app.run(words) == 0
    header = capsys.readouterr().out.splitlines()[0].split("\t")
    known = {"metric", "value", "A", "B", "unit", "definition"}
    for column in set(header) - known:
        assert explain(column)


@pytest.mark.parametrize("name, K", [("prec@5", 5), ("recall@5", 5), ("map@5", 5), ("acc@5", 5)])
def test_the_formulas_of_chance_are_those_that_are_computed(name, K):
    R, N = 4, 20
    text = explain(name).chance
    H = sum(1 / k for k in range(1, K + 1))
    by_hand = {
        "prec@5": R / N,
        "recall@5": K / N,
        "map@5": R / N * (H + (K - H) * (R - 1) / (N - 1)) / min(K, R),
    }
    if name in by_hand:
        assert expected(parse(name), get("standard"), R, N) == pytest.approx(by_hand[name])
    assert "K" not in text.replace("H_K", "") or "5" in text


def test_a_paragraph_with_the_number_in_place_of_k(capsys):
    assert _app.run(["explain", "map@200"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("map@200: Mean average precision of the first 200 photos.")
    for part in ("Formula:", "min(200, R)", "Sides:", "Chance:", "Compare it with:", "docs/"):
        assert part in shown
    assert _app.run(["explain", "map@200", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "map@200"


def test_names_are_those_people_read(capsys):
    assert explain("MAP@all").name == "map@all"
    assert explain("(chance)").name == "chance"
    assert explain("p  Holm").name == "p Holm"
    assert _app.run(["explain", "trustworthines"]) == 2
    assert "trustworthiness" in capsys.readouterr().err


def test_pages_are_there():
    from pathlib import Path

    docs = Path(__file__).parents[2] / "docs"
    assert {one.see for one in explanations() if not (docs / one.see).is_file()} == set()
