"""`sbirctl rerank` on files: what is written, what others make of it, what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.progress import Reporter
from sbirctl.pipeline.compare import compare
from sbirctl.pipeline.curves import curves
from sbirctl.pipeline.evaluate import evaluate
from sbirctl.pipeline.rerank import rerank
from sbirctl.pipeline.scores import EvaluateRequest
from sbirctl.pipeline.sheet import sheet
from sbirctl.report.subject import subject_of
from sbirctl.report.training_checks import Pair, reranked
from sbirctl.retrieval import definitions
from sbirctl.retrieval.embeddings import read, write
from tests.cli.test_evaluate import shell
from tests.report import pictured
from tests.report.embedded import embeddings

METRICS = ("map@all", "prec@5")


class Told(Reporter):
    """Keeps what is said."""

    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture
def two(tmp_path):
    for seed in (0, 1):
        write(embeddings(seed=seed), tmp_path / f"{seed}.h5")
    return tmp_path / "0.h5", tmp_path / "1.h5"


def figures(path, report=None):
    return evaluate(path, EvaluateRequest(metrics=METRICS), report or Told())["metrics"]


def test_expansion_gives_vectors_and_says_what_was_done(two):
    made = rerank(two[:1], "alpha-qe", ["k=5", "alpha=2"])
    assert made == two[0].with_name("0-alpha-qe.h5")
    plain, e = read(two[0]), read(made)
    assert not np.array_equal(e.query, plain.query)
    assert np.array_equal(e.gallery, plain.gallery)
    (step,) = e.provenance.reranked
    assert (step.method, step.settings) == ("alpha-qe", {"k": 5, "alpha": 2.0})
    assert (e.model, e.checkpoint, e.store) == (plain.model, plain.checkpoint, plain.store)
    again = rerank([made], "dba")
    assert [one.method for one in read(again).provenance.reranked] == ["alpha-qe", "dba"]
    assert read(again).provenance.after_model == (
        "re-ranked by alpha-qe (k=5, alpha=2.0), then dba (k=10, alpha=0.0)"
    )


def test_mutual_neighbours_give_scores_on_the_disk(two):
    made = rerank(two[:1], "k-reciprocal", ["k1=6", "lambda=1"])
    e = read(made, vectors=False)
    assert isinstance(e.scores, np.memmap)
    assert e.scores.dtype == np.float32
    assert figures(made) == figures(two[0])
    assert (
        made.read_bytes()
        == rerank(
            two[:1], "k-reciprocal", ["k1=6", "lambda=1"], made.with_name("again.h5")
        ).read_bytes()
    )
    better = figures(rerank(two[:1], "k-reciprocal", ["k1=6", "k2=3"]))
    assert better["map@all"] > figures(two[0])["map@all"]


def test_fusion_keeps_what_the_files_agree_on(two):
    made = rerank(two, "rrf")
    e = read(made, vectors=False)
    assert e.model == "drclip"
    assert e.checkpoint == ""
    assert e.provenance.seed is None
    assert e.provenance.dataset == "sketchy"
    (step,) = e.provenance.reranked
    assert step.sources == (f"drclip ({two[0]})", f"drclip ({two[1]})")
    assert figures(made)["map@all"] > max(figures(path)["map@all"] for path in two)
    assert figures(rerank([two[0], two[0]], "score-sum", out=made)) == figures(two[0])


def test_a_fusion_says_of_its_parts_what_was_done_to_them(two):
    fused = rerank([rerank(two[:1], "dba"), two[1]], "score-sum", ["normalise=z-score"])
    (step,) = read(fused, vectors=False).provenance.reranked
    assert "re-ranked by dba (k=10, alpha=0.0)" in step.sources[0]
    assert "normalise=z-score" in str(step)


def test_leaks_of_any_part_are_kept(two):
    e = read(two[1])
    leaking = replace(
        e, train_digest=np.array([b"a"]), provenance=replace(e.provenance, leaks_allowed=3)
    )
    write(leaking, two[1])
    for files in (two, two[::-1]):
        made = read(rerank(files, "rrf"), vectors=False)
        assert made.provenance.leaks_allowed == 3
        assert made.train_digest.tolist() == [b"a"]


def test_training_vectors_do_not_stand_in_the_way_of_scores(two):
    e = read(two[0])
    write(replace(e, train=e.gallery, train_label=e.gallery_label, train_classes=e.classes), two[0])
    assert read(rerank(two[:1], "k-reciprocal"), vectors=False).train is None


def test_every_command_goes_on_and_says_so(two):
    made = rerank(two[:1], "k-reciprocal")
    told = Told()
    evaluate(made, report=told)
    assert f"{made}: re-ranked by k-reciprocal (k1=20, k2=6, lambda=0.3)." in told.warnings
    (found,) = compare([made], [two[0]], ["map@all"], definitions.get("standard")).rows
    assert found.a == pytest.approx(figures(made)["map@all"])
    done = shell(f"sbirctl audit {made} --json", made.parent)
    (audited,) = json.loads(done.stdout)["rows"]
    assert any("no figure is of the model alone" in w.lower() for w in audited["warnings"])
    picture = curves([made, two[0]], made.with_name("c.svg"))
    assert "0-k-reciprocal (re-ranked)" in picture.read_text()
    rows = picture.with_suffix(".csv").read_text()
    assert "0-k-reciprocal (re-ranked),K,1," in rows
    subject = subject_of(read(made, vectors=False), made)
    assert subject.protocol.endswith("; re-ranked by k-reciprocal (k1=20, k2=6, lambda=0.3)")
    assert reranked(Pair(None, subject)) == ("re-ranked by k-reciprocal (k1=20, k2=6, lambda=0.3)",)
    assert subject.configuration != subject_of(read(two[0]), two[0]).configuration


def test_a_sheet_shows_the_ranking_of_the_scores(tmp_path):
    store = pictured.prepare()
    write(pictured.embeddings(store), tmp_path / "e.h5")
    made = rerank([tmp_path / "e.h5"], "k-reciprocal", ["k1=4", "lambda=0"])
    page = sheet([made], tmp_path / "s.html", k=3).read_text()
    assert "re-ranked by k-reciprocal" in page
    assert "e-k-reciprocal (re-ranked)" in page
    assert "cosine" not in page
    scores = read(made, vectors=False).scores
    rows = [line.split("\t") for line in (tmp_path / "s.tsv").read_text().splitlines()[1:]]
    for row in rows:
        query, rank, photo = int(row[1]), int(row[5]), int(row[9])
        assert np.argsort(-scores[query], kind="stable")[rank - 1] == photo


def test_the_command(two):
    folder = two[0].parent
    done = shell("sbirctl rerank 0.h5 1.h5 --method rrf --set constant=10 -o f.h5", folder)
    assert done.stdout == "f.h5\n"
    done = shell("sbirctl evaluate f.h5 -m map@all", folder)
    assert "re-ranked by rrf (constant=10.0) of drclip (0.h5) and drclip (1.h5)" in done.stderr


def test_a_report_says_so_and_prints_no_difference(two):
    made = rerank(two[:1], "k-reciprocal")
    done = shell(f"sbirctl report {made} --json", made.parent)
    rows = json.loads(done.stdout)["rows"]
    assert rows
    for row in rows:
        assert row["difference"] is None
        assert "re-ranked by k-reciprocal" in row["reason"]


@pytest.mark.parametrize(
    ("files", "method", "more", "error", "said"),
    [
        ((0,), "kreciprocal", [], UsageError, "no method 'kreciprocal'"),
        ((0,), "rrf", [], UsageError, "one is not enough"),
        ((0, 1), "dba", [], UsageError, "takes one file, not 2"),
        ((0,), "dba", ["q=1"], UsageError, "q"),
        ((0,), "dba", ["k=-1"], UsageError, "k=-1"),
        ((0, 1), "score-sum", ["normalise=max"], UsageError, "normalise=max"),
    ],
)
def test_what_cannot_be_done_is_refused(two, files, method, more, error, said):
    with pytest.raises(error, match=said):
        rerank([two[i] for i in files], method, more)


def test_files_that_do_not_fit_are_refused_and_nothing_is_written(two):
    write(embeddings(photos=61), two[1])
    with pytest.raises(MismatchError, match=r"0.h5 has 60 photos, .*1.h5 61"):
        rerank(two, "rrf")
    fused = rerank([two[0], two[0]], "rrf", out=two[0].with_name("f.h5"))
    with pytest.raises(MissingError, match="not vectors"):
        rerank([fused], "dba")
    with pytest.raises(UsageError, match="one of the files to read"):
        rerank([fused, two[0]], "rrf", out=fused)
    assert sorted(p.name for p in two[0].parent.iterdir()) == ["0.h5", "1.h5", "f.h5"]
