"""Rankings in TREC's form: read as trec_eval reads them, written so that others see our order."""

import numpy as np
import pytest

from sbirctl.core.errors import CorruptError, MismatchError, MissingError
from sbirctl.retrieval import definitions
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.metrics import parse
from sbirctl.retrieval.ranked_lists import measure
from sbirctl.retrieval.trec import read_trec, write_trec

STANDARD = definitions.get("standard")

QRELS = "a 0 x 1\na 0 y 0\na 0 z 2\nb 0 x 1\nc 0 w 1\n"
RUN = "a Q0 x 9 0.5 r\na Q0 y 1 0.7 r\na Q0 z 2 0.5 r\nb Q0 y 1 1e3 r\nb Q0 x 2 -4 r\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "run").write_text(RUN)
    (tmp_path / "qrels").write_bytes(QRELS.replace("\n", "\r\n").encode())
    return tmp_path / "run", tmp_path / "qrels"


def test_figures_by_hand(files):
    lists = read_trec(*files)
    # a: y (0.7), then z before x, whose scores are equal; b: y, x; c is not ranked
    assert lists.query == ("a", "b", "c")
    assert lists.hit.tolist() == [[False, True, True], [False, True, False], [False] * 3]
    assert lists.unranked == 1
    result = measure(lists, [parse("prec@2"), parse("map@3"), parse("recall@2")], STANDARD)
    assert result.values["prec@2"] == pytest.approx([0.5, 0.5, 0])
    assert result.values["map@3"] == pytest.approx([(1 / 2 + 2 / 3) / 2, 1 / 2, 0])
    assert result.values["recall@2"] == pytest.approx([0.5, 1, 0])


def test_what_lists_do_not_allow(files):
    lists = read_trec(*files)
    for name, word in (("sake", "classes"), ("zsih", "codes"), ("sketch-lvm", "gallery")):
        with pytest.raises(MismatchError, match=word):
            measure(lists, [parse("map@3")], definitions.get(name))
    with pytest.raises(MismatchError, match="looks further"):
        measure(lists, [parse("map@all")], STANDARD)
    with pytest.raises(MismatchError, match="several relevant"):
        measure(lists, [parse("acc@1")], STANDARD)


def test_equal_scores_of_a_relevant_and_another_photo_are_noticed(files):
    run, qrels = files
    run.write_text(RUN.replace("0.7", "0.5"))
    lists = read_trec(run, qrels)
    assert lists.tied
    with pytest.raises(MismatchError, match="equal scores"):
        measure(lists, [parse("map@3")], definitions.get("sempcyc"))


@pytest.mark.parametrize(
    "which, text, error, word",
    [
        (0, "a Q0 x 1 0.5\n", CorruptError, "5 columns"),
        (0, "a Q0 x 1 high r\n", CorruptError, "no number"),
        (0, "a Q0 x 1 nan r\n", CorruptError, "no number"),
        (0, "a Q0 x 1 1 r\na Q0 x 2 0.5 r\n", MismatchError, "twice"),
        (0, "other Q0 x 1 1 r\n", MismatchError, "No query"),
        (1, "a 0 x\n", CorruptError, "3 columns"),
    ],
)
def test_a_file_that_is_none(files, which, text, error, word):
    files[which].write_text(text)
    with pytest.raises(error, match=word):
        read_trec(*files)


def test_a_missing_file(files, tmp_path):
    with pytest.raises(MissingError, match="no file"):
        read_trec(files[0], tmp_path / "none")


@pytest.mark.parametrize("scope", ["all", "class"])
def test_our_ranking_comes_back(scope, tmp_path):
    rng = np.random.default_rng(0)
    q, g = rng.integers(0, 4, 30), rng.integers(0, 4, 50)
    # few distinct vectors: many equal scores, whose order must survive
    points = rng.standard_normal((6, 3))
    e = Embeddings.from_arrays(points[rng.integers(0, 6, 30)], points[rng.integers(0, 6, 50)], q, g,
        scope=scope, query_group=q % 2, gallery_group=g % 2)  # fmt: skip
    write_trec(e, tmp_path / "run", tmp_path / "qrels", depth=50)
    metrics = [parse(name) for name in ("map@all", "map@10", "prec@5", "recall@20")]
    (ours,) = evaluate(e, metrics, [STANDARD])
    theirs = measure(read_trec(tmp_path / "run", tmp_path / "qrels"), metrics, STANDARD)
    order = [int(name[1:]) for name in read_trec(tmp_path / "run", tmp_path / "qrels").query]
    for name, values in ours.values.items():
        assert theirs.values[name] == pytest.approx(values[order], abs=1e-12)
