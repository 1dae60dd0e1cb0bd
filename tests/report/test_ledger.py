"""The ledger of published figures: whole, flagged by arithmetic, and its page up to date."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sbirctl.cli import _app
from sbirctl.datasets import DATASETS
from sbirctl.report.ledger import HEADER, LedgerRow, cells, page, read_ledger
from sbirctl.retrieval.definitions import PRESETS
from sbirctl.retrieval.metrics import parse
from sbirctl.tasks import TASKS

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"
ROW = LedgerRow(
    "Toy", "cg", "sketchy", {"map@200": 0.5, "prec@200": 0.4}, "here", split="sketchy/imagenet21"
)


def test_every_row_has_known_words_and_figures_of_one():
    for row in read_ledger():
        assert row.task in TASKS.names()
        assert {row.definition, row.code} <= {"", *PRESETS}
        assert row.source
        assert row.figures
        for name, value in row.figures.items():
            parse(name)
            assert 0 < value < 1


def test_rows_of_the_ledger_and_the_cards_are_there():
    found = {(r.system, r.dataset, r.task): r for r in read_ledger()}
    assert found["SpLIP", "sketchy", "fg"].figures == {"acc@1": 0.3345, "acc@5": 0.6671}
    own = found["Dr. CLIP", "tuberlin", "gzs"]
    assert own.figures["map@all"] == 0.6529
    assert own.definition == "clipprompt"
    assert not own.quoted_by
    assert found["TVT", "sketchy", "cg"].quoted_by.endswith(("Table 1", "Table 2"))


def test_every_row_s_cell_of_the_data_set_names_it():
    at = HEADER.index("data set")
    for row in read_ledger():
        names = cells(row)[at].split("→")
        assert set(names) <= set(DATASETS.names())
        assert names[-1] == row.dataset


def test_an_ap_far_above_precision_is_flagged():
    (flag,) = ROW.flags
    assert flag.startswith("mAP@200 0.5 above P@200 0.4")
    assert flag.endswith("definition unknown or misprint")
    (known,) = replace(ROW, code="sempcyc").flags
    assert "divides by hits (sempcyc)" in known


def test_a_class_with_few_photos_allows_a_little():
    """Of the 21 classes one has 161 photos, so 1 - 161 / 200 of its share of the queries."""
    from sbirctl.datasets.published.counts import published_counts
    from sbirctl.splits.resolve import find

    counts = published_counts("sketchy")
    unseen = find("", "sketchy/imagenet21").unseen
    queries = sum(counts[name]["sketches"] for name in unseen)
    allowed = (1 - 161 / 200) * counts["skyscraper"]["sketches"] / queries
    assert 0.005 < allowed < 0.015
    below = replace(ROW, figures={"map@200": 0.4 + allowed, "prec@200": 0.4})
    above = replace(ROW, figures={"map@200": 0.4 + allowed + 0.002, "prec@200": 0.4})
    assert not below.flags
    assert above.flags


@pytest.mark.parametrize(
    "figures",
    [
        {"map@200": 0.4, "prec@200": 0.5},
        {"map@200": 0.4005, "prec@200": 0.4},
        {"map@all": 0.6, "prec@100": 0.5},
        {"map@200": 0.5, "prec@100": 0.4},
        {"acc@1": 0.5},
    ],
)
def test_what_can_be_is_not_flagged(figures):
    assert not replace(ROW, figures=figures).flags


def test_where_the_photos_of_a_class_are_not_known_nothing_is_flagged():
    assert not replace(ROW, dataset="tuberlin", split="", split_status="unpublished").flags
    assert not replace(ROW, dataset="fscoco", split="").flags


def test_the_command_names_the_rows_that_contradict_themselves(capsys):
    assert _app.run(["ledger", "--flagged", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    flagged = {row["system"].partition(",")[0] for row in rows}
    assert {"Doodle2Search", "SEM-PCYC", "BDA", "STL"} <= flagged
    assert not {"SpLIP", "ZSE-Ret", "MARL", "TLT", "SD-PL", "SketchFusion"} & flagged
    for row in rows:
        if row["system"].startswith("Dr. CLIP"):
            assert all("divides by hits" in flag for flag in row["flags"])


def test_an_unknown_data_set_is_refused_with_the_nearest(capsys):
    assert _app.run(["ledger", "--dataset", "skechy"]) == 2
    assert "Did you mean 'sketchy'?" in capsys.readouterr().err


def test_the_page_in_docs_is_what_the_command_prints():
    command = "sbirctl ledger --format md > docs/ledger.md"
    assert PAGE.read_text("utf-8") == page(read_ledger()), f"Run `{command}`."
