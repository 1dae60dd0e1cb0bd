"""Which queries a sheet shows, what it says of them, and what of each photo."""

from dataclasses import replace

import numpy as np
import pictured
import pytest

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.report.sheet import average_precision, build
from sbirctl.report.sheet_selection import Selection, select
from sbirctl.report.sheet_table import COLUMNS, write_table
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.metrics import parse


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(tmp_path_factory.mktemp("home")))
        yield pictured.prepare()


@pytest.fixture
def e(store):
    return pictured.embeddings(store)


PRECISION = np.array([0.1, 0.9, 0.5, 0.5, 0.2, 0.2, np.nan, 0.8, 1.0, 0.0, 0.3, 0.4])


@pytest.mark.parametrize(
    "selection, rows, said",
    [
        (Selection("best", 3), [8, 1, 7], "highest average precision"),
        (Selection("worst", 2), [9, 0], "lowest average precision"),
        # lower of the two in the middle; the one without a value is passed over
        (Selection("median", 0), [2, 5, 10], "in each class"),
        (Selection("median", 1), [2], "first 1 of 3 classes"),
        (Selection("best", 1, classes=(pictured.CLASSES[1],)), [7], pictured.CLASSES[1]),
        (Selection(ids=("5", "sketch/2/1.png", "0")), [5, 9, 0], "named one by one"),
    ],
)
def test_rules(e, selection, rows, said):
    chosen, rule = select(e, selection, PRECISION)
    assert sorted(chosen) == sorted(rows)
    if selection.rule != "median":
        assert chosen.tolist() == rows
    assert said in rule


def test_random_is_of_its_seed(e):
    first, rule = select(e, Selection(count=5, seed=1))
    again, _ = select(e, Selection(count=5, seed=1))
    other, _ = select(e, Selection(count=5, seed=2))
    assert first.tolist() == again.tolist() != other.tolist()
    assert len(set(first)) == 5
    assert "5 of 12 queries at random, seed 1" in rule
    everything, rule = select(e, Selection(count=0))
    assert rule == "all 12 queries"
    assert everything.tolist() == list(range(12))


@pytest.mark.parametrize(
    "selection, said",
    [
        (Selection(classes=("grösser",)), "größer kühn"),
        (Selection(ids=("99",)), "Rows run to 11"),
        (Selection(ids=("nothing.png",)), "sketch/0/0.png"),
        (Selection(ids=("1.png",)), "Give the path"),
    ],
)
def test_wrong_names_are_answered(e, selection, said):
    with pytest.raises(UsageError) as caught:
        select(e, selection)
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_average_precision_is_what_evaluate_says(e):
    (result,) = evaluate(e, [parse("map@all")], [get("standard")])
    assert average_precision(e) == pytest.approx(result.values["map@all"])
    some = average_precision(e, np.array([3, 7]))
    assert some[[3, 7]] == pytest.approx(result.values["map@all"][[3, 7]])
    assert np.isnan(np.delete(some, [3, 7])).all()


def test_hits_say_what_the_vectors_say(e):
    sheet = build([e], ["run"], Selection(ids=("2",)), 12, most=100)
    (asked,) = sheet.queries
    (answer,) = asked.answers
    unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (e.query[2], e.gallery)]
    cosine = unit[1] @ unit[0]
    assert [hit.row for hit in answer.hits] == np.argsort(-cosine).tolist()
    assert [hit.score for hit in answer.hits] == pytest.approx(np.sort(cosine)[::-1])
    assert [hit.right for hit in answer.hits] == [hit.row < 4 for hit in answer.hits]
    assert [hit.row for hit in answer.hits if hit.own] == [2]
    ranks = [hit.rank for hit in answer.hits if hit.right]
    assert answer.precision == pytest.approx(np.mean([(i + 1) / r for i, r in enumerate(ranks)]))


def test_runs_are_aligned_by_the_queries_names(store, e):
    other = pictured.embeddings(store, seed=1)
    back = np.arange(12)[::-1]
    columns = ("query", "query_label", "query_instance", "query_path")
    turned = replace(other, **{name: getattr(other, name)[back] for name in columns})
    straight = build([e, other], ["a", "b"], Selection(count=4), 3, most=100)
    aligned = build([e, turned], ["a", "b"], Selection(count=4), 3, most=100)
    assert straight.queries == aligned.queries
    with pytest.raises(MismatchError):
        build([e, replace(other, classes=("x", "y", "z"))], ["a", "b"], Selection(), 3, most=9)


def test_a_limit_is_kept_and_said(e):
    sheet = build([e, e], ["a", "b"], Selection(count=0), 3, most=20)
    assert len(sheet.queries) == 3  # 3 queries, 2 runs, 3 photos: 18
    assert "only the first 3 of these 12" in sheet.limit
    assert build([e], ["a"], Selection(count=2), 3, most=20).limit == ""


def test_best_says_by_which_run(e):
    sheet = build([e, e], ["one", "two"], Selection("best", 2), 3, most=100)
    assert sheet.rule.endswith("by one")


def test_the_table_has_a_line_a_photo(e, tmp_path):
    nasty = replace(e, classes=("a\tb\nc", "d", "e"))
    sheet = build([nasty], ["r"], Selection(count=0), 3, most=1000)
    write_table(sheet, tmp_path / "t.tsv")
    lines = [line.split("\t") for line in (tmp_path / "t.tsv").read_text().splitlines()]
    assert lines[0] == list(COLUMNS)
    assert len(lines) == 1 + 12 * 3
    assert {len(line) for line in lines} == {len(COLUMNS)}
    assert lines[1][3] == r"a\tb\nc"
