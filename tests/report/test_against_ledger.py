"""A run beside the published rows of its task and data set."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sbirctl.cli import _app
from sbirctl.report.against_ledger import column_of, ledger_cells
from sbirctl.report.comparison import Measured, rows_of
from sbirctl.report.ledger import LedgerRow, read_ledger
from sbirctl.report.published import figures
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.provenance import Counts, Reranking
from tests.report.embedded import run_folder
from tests.report.runs_of_rows import figure_of, run_of

SKETCHY = figure_of("drclip", "paper", "sketchy", "map@200")
OWN = figures(SKETCHY.card)


TOY = LedgerRow(
    "Toy",
    "cg",
    "sketchy",
    {"map@200": 0.723},
    "here",
    split="sketchy/imagenet21",
    split_status="inferred",
    code="sketch-lvm",
    chosen_on="the loss on the unseen test classes",
)


@pytest.fixture
def toy(monkeypatch):
    """A row without a model here whose code has been read."""
    monkeypatch.setattr("sbirctl.report.against_ledger.read_ledger", lambda: (TOY,))


def other(**changes):
    """A run of a system without rows of its own."""
    return run_of(SKETCHY, **({"model": "baseline", "settings": {}} | changes))


def cells(subject, own=()):
    """{(system, metric, source): cell}; sources tell rows of one system apart."""
    found = ledger_cells(subject, own)
    assert found
    return {(c.printed.system, c.metric, c.printed.source): c for c in found}


def of_system(subject, system, metric, own=()):
    return [c for (name, m, _), c in cells(subject, own).items() if (name, m) == (system, metric)]


@pytest.mark.usefixtures("toy")
def test_another_system_is_compared_where_protocol_and_definition_agree():
    (cell,) = of_system(other(), "Toy", "map@200")
    assert cell.reasons == ()
    assert cell.printed.value == 0.723
    assert cell.definition.name == "sketch-lvm"
    assert "The definition is that of its code." in cell.remarks
    assert "Its checkpoint was chosen on the loss on the unseen test classes." in cell.remarks
    (cell,) = of_system(other(photos=12_553), "Toy", "map@200")
    assert cell.reasons == ()


@pytest.mark.usefixtures("toy")
def test_a_system_need_not_be_trained_to_stand_beside_another():
    (cell,) = of_system(other(trained=False), "Toy", "map@200")
    assert cell.reasons == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"split": "sketchy/random25"}, "other class list: sketchy/imagenet21"),
        ({"queries": 100}, "other counts: 100 queries against 12,694"),
        ({"leaks_allowed": 7}, "7 test images were trained on"),
        ({"side": "val"}, "measured on the side val"),
        ({"reranked": (Reranking("dba", {"k": 10}),)}, "re-ranked by dba (k=10)"),
        (
            {"counts": {"train": Counts(94, 9, 9), "val": Counts(10, 9, 9)}},
            "10 of 104 seen classes held out",
        ),
    ],
)
def test_what_differs_is_a_reason_beside_every_row_of_the_list(change, said):
    found = [
        c
        for c in ledger_cells(other(**change), ())
        if "imagenet21" in c.printed.protocol and not any("no definition" in r for r in c.reasons)
    ]
    assert len(found) > 20
    for cell in found:
        assert any(reason.startswith(said) for reason in cell.reasons)


def test_a_definition_that_nobody_states_is_a_reason(monkeypatch):
    monkeypatch.setattr(
        "sbirctl.report.against_ledger.read_ledger", lambda: (replace(TOY, code=""),)
    )
    (cell,) = of_system(other(), "Toy", "map@200")
    assert cell.reasons == ("its definition is not stated",)
    assert cell.printed.definition == "not stated"


@pytest.mark.usefixtures("toy")
def test_another_definition_of_ours_is_a_reason():
    found = ledger_cells(other(), (), get("standard"))
    (cell,) = [c for c in found if c.printed.system == "Toy" and c.metric == "map@200"]
    assert cell.reasons[0].startswith("another definition: sketch-lvm")


def test_a_paper_without_a_definition_leaves_its_card_undetermined():
    found = of_system(other(), "CLIP-AT", "map@200")
    (cell,) = (c for c in found if c.printed.source.startswith("Aneeshan Sain"))
    assert cell.printed.value == 0.723
    (reason,) = (r for r in cell.reasons if r != "its definition is not stated")
    assert reason.startswith("the paper states no definition and no gallery")


def test_quoted_rows_lead_to_the_original():
    """A quoted row is left out where the original has the same figures, which then names it."""
    by_place = {(row.system, row.task, row.dataset, row.split): row for row in read_ledger()}
    original = by_place["ZSE-Ret", "cg", "sketchy", "sketchy/imagenet21"]
    assert not original.quoted_by
    assert "Xue Li et al. 2024, Table 2" in original.quoted_in
    (cell,) = of_system(other(), "ZSE-Ret", "map@200")
    assert any("Xue Li et al. 2024, Table 2" in remark for remark in cell.remarks)
    (cell,) = of_system(other(), "SEM-PCYC", "map@200")
    assert cell.reasons == ("quoted; its original: not in the ledger",)


def test_rows_of_the_same_system_are_held_to_its_settings():
    row = figure_of("drclip", "wo-rp", "sketchy", "map@200")
    subject = run_of(row)
    (main,) = of_system(subject, "Dr. CLIP", "map@200", OWN)[:1]
    assert main.reasons == ("other settings: lambda3=0",)
    (own,) = of_system(subject, "w/o RP", "map@200", OWN)
    assert own.reasons == ()
    assert own.printed.value == row.value


def test_comparable_rows_come_first_and_only_they_have_a_difference():
    subject = run_of(SKETCHY)
    found = ledger_cells(subject, OWN)
    rows = rows_of([Measured(subject, found, (0.5,) * len(found))])
    reasons = [bool(row.reason) for row in rows]
    assert reasons == sorted(reasons)
    assert any(not reason for reason in reasons)
    assert all((row.difference is None) == bool(row.reason) for row in rows)


@pytest.mark.parametrize(
    ("task", "said"),
    [("cg", "its class list"), ("fg", "its test instances"), ("gzs", "which seen classes join")],
)
def test_a_row_without_a_list_is_never_compared(task, said):
    row = LedgerRow("Toy", task, "sketchy", {"acc@1": 0.5}, "here")
    assert said in column_of(row, "acc@1").undetermined


def test_the_command(tmp_path, capsys):
    place = run_folder(tmp_path, "run", model="baseline", classes=4)
    assert _app.run(["report", str(place), "--against", "ledger", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {"CLIP-AT", "Dr. CLIP", "FFMLN, 512 dimensions"} <= {row["system"] for row in rows}
    assert {row["difference"] for row in rows} == {None}
    assert _app.run(["report", str(place), "--against", "ledger", "--format", "md"]) == 0
    assert "| beside |" in capsys.readouterr().out
    foreign = run_folder(tmp_path, "foreign", model="", split="mine/a", dataset="mine")
    assert _app.run(["report", str(foreign), "--against", "ledger", "--json"]) == 0
    assert {row["reason"] for row in json.loads(capsys.readouterr().out)["rows"]} == {
        "nothing published"
    }
