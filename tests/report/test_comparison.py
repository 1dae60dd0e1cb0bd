"""Rows of a report: what is measured, how seeds are taken together, what is remarked."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from sbirctl.models import load_card
from sbirctl.report.comparison import Measured, cells_for, rows_of
from sbirctl.report.published import figures
from sbirctl.report.subject import subject_of
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.provenance import Beginning, Counts, Pretraining
from tests.report.embedded import embeddings
from tests.report.small_card import card, table

PRINTED = figures(card(table(value=0.5)))


def measured(value, printed=PRINTED, name="x.h5", **more):
    given = {"split": "toys/a", "task": "gzs"} | more
    subject = subject_of(embeddings(**given), Path(name))
    cells = cells_for(subject, printed)
    return Measured(subject, cells, (value,) * len(cells))


def test_a_difference_is_ours_minus_published():
    (row,) = rows_of([measured(0.4)])
    assert row.difference == pytest.approx(-0.1)
    assert (row.ours, row.published, row.deviation, row.reason) == (0.4, 0.5, None, "")
    assert row.definition.startswith("clipprompt: ")
    assert row.source == "Ann B et al. 2020, Table 1, Ours"


def test_seeds_of_one_configuration_are_one_row():
    values = [0.4, 0.5, 0.9]
    (row,) = rows_of([measured(v, seed=i) for i, v in enumerate(values)])
    assert row.ours == pytest.approx(0.6)
    assert row.deviation == pytest.approx(statistics.stdev(values))
    assert row.seeds == (0, 1, 2)
    assert row.difference == pytest.approx(0.1)


def test_three_seeds_say_where_the_published_figure_lies():
    def row(*values):
        (found,) = rows_of([measured(v, seed=i) for i, v in enumerate(values)])
        return found

    assert (row(0.4, 0.6).interval, row(0.4, 0.6).beside) == (None, "")
    near = row(0.4, 0.5, 0.6)  # 0.5 ± 4.3027 * 0.1 / sqrt(3)
    assert near.interval == pytest.approx((0.25159, 0.74841), abs=1e-5)
    assert near.beside == "within"
    assert row(0.30, 0.31, 0.32).beside == "above"
    assert row(0.70, 0.71, 0.72).beside == "below"


def test_nothing_is_said_of_a_figure_that_cannot_be_compared():
    (row,) = rows_of([measured(v, seed=i, trained=False) for i, v in enumerate((0.4, 0.5, 0.6))])
    assert row.interval is not None
    assert row.beside == ""


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (Pretraining("none", "none"), ""),
        (
            Pretraining("400 million pairs", "captions"),
            "Ours started from weights trained on 400 million pairs (labels: captions).",
        ),
        (
            Pretraining("ImageNet-1k", "its names", ("door", "saw")),
            "Ours started from weights trained on ImageNet-1k (labels: its names); "
            "2 of {} test classes are among them: door, saw.",
        ),
    ],
)
def test_what_the_starting_weights_had_learnt_is_remarked(known, said):
    one = measured(0.4, pretraining=known)
    (row,) = rows_of([one])
    assert said.format(one.subject.classes) in row.remarks
    assert ("started from" in row.remarks) == bool(said)


@pytest.mark.parametrize(
    "other", [{"settings": {"lr": 2}}, {"gallery": "both"}, {"dim": 9}, {"model": "baseline"}]
)
def test_other_settings_are_another_row(other):
    rows = rows_of([measured(0.4), measured(0.5, seed=1), measured(0.6, seed=2, **other)])
    assert [row.seeds for row in rows] == [(0, 1), (2,)]


def test_what_a_seed_draws_does_not_part_seeds():
    rows = rows_of([measured(0.4, val_classes=["a"]), measured(0.5, seed=1, val_classes=["b"])])
    assert len(rows) == 1


def test_seeds_that_began_with_first_stages_of_their_own_are_one_row():
    starts = [Beginning(f"run-{seed}", str(seed), True) for seed in (0, 1)]
    rows = rows_of([measured(0.4, seed=i, init=init) for i, init in enumerate(starts)])
    assert [row.seeds for row in rows] == [(0, 1)]
    rows = rows_of([measured(0.4), measured(0.5, seed=1, init=starts[1])])
    assert len(rows) == 2


def test_a_seed_that_comes_twice_is_not_averaged():
    rows = rows_of([measured(0.4), measured(0.5, name="y.h5"), measured(0.6, seed=1)])
    assert [row.seeds for row in rows] == [(0, 1), (0,)]


def test_files_that_record_no_seed_stay_apart():
    rows = rows_of([measured(0.4, seed=None), measured(0.5, seed=None, name="y.h5")])
    assert len(rows) == 2


def test_an_undefined_figure_has_no_difference():
    (row,) = rows_of([measured(0.4), measured(None, seed=1)])
    assert (row.ours, row.deviation, row.difference) == (None, None, None)
    assert row.reason == "ours is undefined"


def test_nothing_published_leaves_ours_alone():
    rows = rows_of([measured(0.4, printed=())])
    assert [row.metric for row in rows] == ["map@all", "map@200", "prec@100", "prec@200"]
    assert {(row.published, row.difference, row.reason) for row in rows} == {
        (None, None, "nothing published")
    }
    assert rows[0].definition.startswith("standard: ")


def test_the_card_says_what_is_measured_and_by_which_definition():
    subject = subject_of(embeddings(), Path("x.h5"))
    cells = cells_for(subject, figures(load_card("drclip")), ["recall@5"])
    assert {c.metric for c in cells} == {"map@200", "prec@200", "prec@100", "map@all", "recall@5"}
    named = {c.metric: c.definition.name for c in cells}
    assert named["map@200"] == "clipprompt"
    assert named["recall@5"] == "standard"
    changed = cells_for(subject, figures(load_card("drclip")), definition=get("sake"))
    assert {c.definition.name for c in changed} == {"sake"}


def test_a_task_the_paper_does_not_have_gets_the_usual_metrics():
    subject = subject_of(embeddings(task="fg"), Path("x.h5"))
    cells = cells_for(subject, figures(load_card("drclip")))
    assert [c.metric for c in cells] == ["acc@1", "acc@5", "acc@10"]
    assert {c.printed for c in cells} == {None}
    subject = subject_of(embeddings(task="sbir", split=""), Path("x.h5"))
    assert cells_for(subject, figures(load_card("drclip")))[0].metric == "map@all"


def test_across_data_sets_the_target_counts():
    more = {"task": "cd", "dataset": "tuberlin", "target": "sketchy", "protocol": "drclip"}
    e = embeddings(split="sketchy/cross-tuberlin8-drclip", classes=8, **more)
    cells = cells_for(subject_of(e, Path("x.h5")), figures(load_card("drclip")))
    assert all("Table 4" in c.printed.source for c in cells)
    assert all("trained on tuberlin" in c.printed.protocol for c in cells)
    (row, _) = rows_of([Measured(subject_of(e, Path("x.h5")), cells, (0.1, 0.2))])
    assert row.dataset == "tuberlin→sketchy"


def test_a_paper_that_contradicts_itself_is_remarked():
    printed = card(table(value=0.5), table(value=0.5004, number="2"), table(value=0.6, number="3"))
    (row,) = rows_of([measured(0.4, printed=figures(printed))])
    assert row.published == 0.5
    assert row.remarks == "Table 3 prints 0.6."


def test_an_inferred_split_is_compared_and_remarked():
    (row,) = rows_of([measured(0.4, printed=figures(card(table({"split_status": "inferred"}))))])
    assert row.difference is not None
    assert "inferred" in row.remarks


def test_a_reason_of_one_seed_is_a_reason_of_all():
    """Two seeds in one row, of which one stands beside another figure for a reason."""
    counts = {"train": Counts(3, 9, 9), "val": Counts(1, 9, 9)}
    (row,) = rows_of([measured(0.4), measured(0.5, seed=1, counts=counts)])
    assert row.seeds == (0, 1)
    assert row.reason == "1 of 4 seen classes held out: `--refit` trains on all"
    assert row.difference is None
