"""Tables in the paper's layout: cells, notes and the three formats, against tables made by hand."""

import csv
import io
from dataclasses import replace

import pytest

from sbirctl.models import load_card
from sbirctl.reproduce.exhibits import load_paper
from sbirctl.reproduce.layout import Laid, to_csv, to_latex, to_markdown
from sbirctl.reproduce.measured import Line, TableCell, TableResult, measured_cell, table_result
from sbirctl.reproduce.page import write_page
from sbirctl.reproduce.results import MadeExhibit

TABLE = TableResult(
    "9",
    "A <title>",
    "Someone et al. 2024, Table 9",
    "standard",
    ("method", "dim"),
    (("A & B", 2), ("", 1)),
    ("mAP@all", "P@100", "time"),
    ("", "", "minutes"),
    (
        Line(("Other", "64"), False, (TableCell(0.5), TableCell(None), TableCell(2.0))),
        Line(
            ("Own", "512"),
            True,
            (
                TableCell(0.74, 0.7312, None, -0.0088),
                TableCell(0.7061, 0.5, 0.02, None, "other counts", "Read twice."),
                TableCell(81.0, 3.5, None, None, "another machine"),
            ),
        ),
    ),
    notes=("Other: as printed.",),
)


def test_ours_stands_beneath_the_row_and_marks_lead_to_the_reasons():
    laid = Laid(TABLE)
    assert laid.header == ["method", "dim", "A & B mAP@all", "A & B P@100", "time (minutes)"]
    assert laid.rows == [
        (False, ["Other", "64", "0.500", "-", "2.0"]),
        (False, ["Own", "512", "0.740", "0.7061", "81.0"]),
        (True, ["here", "", "0.7312 (−0.0088)", "0.5000 ± 0.0200 [1, 2]", "3.50 [3]"]),
    ]
    assert laid.told == [
        "[1] other counts", "[2] Read twice.", "[3] another machine", "Other: as printed.",
    ]  # fmt: skip


def test_per_cent_is_printed_as_the_paper_does_and_costs_stay_as_they_are():
    rows = Laid(replace(TABLE, percent=True)).rows
    assert rows[1][1][2:] == ["74.0", "70.61", "81.0"]
    assert rows[2][1][2:] == ["73.12 (−0.88)", "50.00 ± 2.00 [1, 2]", "3.50 [3]"]


def test_counts_are_whole_numbers():
    line = Line(("Photos",), True, (TableCell(204_489.0, 73_002.0),))
    table = replace(
        TABLE, keys=("Items",), columns=("x",), units=("",), groups=(("", 1),), lines=(line,),
        whole=True,
    )  # fmt: skip
    assert [cells for _, cells in Laid(table).rows] == [["Photos", "204,489"], ["here", "73,002"]]


def test_a_row_that_could_not_be_made_says_why():
    line = Line(
        ("Own", ""), True, (TableCell(0.5, reason="sketchy is not prepared"), TableCell(None))
    )
    table = replace(TABLE, columns=("a", "b"), units=("", ""), groups=(("", 2),), lines=(line,))
    assert Laid(table).rows[1][1][2:] == ["- [1]", ""]


def test_markdown():
    lines = to_markdown(TABLE).splitlines()
    assert lines[0] == "## Someone et al. 2024, Table 9: A <title>"
    assert lines[2].startswith("| method | dim | A & B mAP@all |")
    assert lines[6].startswith("| *here* |  | *0.7312 (−0.0088)* |")
    assert lines[-1] == "Other: as printed."


def test_latex_spans_its_groups_and_escapes():
    text = to_latex(TABLE)
    assert r" &  & \multicolumn{2}{c}{A \& B} & \multicolumn{1}{c}{} \\" in text
    assert r"\cmidrule(lr){3-4}" in text
    assert r"\cmidrule(lr){5-5}" not in text
    assert r"\textit{0.7312 ($-$0.0088)}" in text
    assert text.count(r"\\") == 5  # groups, header and three rows


def test_csv_has_a_line_a_cell_with_full_precision():
    rows = list(csv.DictReader(io.StringIO(to_csv(TABLE))))
    assert len(rows) == 6
    assert rows[3]["ours"] == "0.7312"
    assert rows[3]["difference"] == "-0.0088"
    assert rows[4]["not compared because"] == "other counts"
    assert rows[0]["column"] == "mAP@all"
    assert rows[0]["group"] == "A & B"


def test_seeds_give_mean_and_sample_deviation():
    cell = measured_cell(0.5, [0.4, 0.6, 0.8], ["a", "b", "c"], [], ["x", "x"])
    assert cell.ours == pytest.approx(0.6)
    assert cell.deviation == pytest.approx(0.2)
    assert cell.difference == pytest.approx(0.1)
    assert cell.remarks == (  # 0.6 ± 4.3027 * 0.2 / sqrt(3)
        "x The published figure lies within our 95 % interval over 3 seeds, 0.1032 to 1.0968."
    )


def test_while_a_reason_stands_there_is_no_difference():
    cell = measured_cell(0.5, [0.4], ["a"], ["other list", "other list"], [])
    assert (cell.ours, cell.difference, cell.reason) == (0.4, None, "other list")
    undefined = measured_cell(0.5, [0.4, None], ["a", "b"], [], [])
    assert (undefined.ours, undefined.difference) == (None, None)
    assert undefined.reason == "ours is undefined"


@pytest.mark.parametrize("name", ["clipat", "drclip", "ffmln", "sake", "semi3", "splip", "zse"])
def test_every_table_of_a_card_keeps_the_papers_rows_and_columns(name):
    paper = load_paper(name)
    for table in load_card(name).tables:
        found = table_result(paper, table, {})
        assert sum(count for _, count in found.groups) == len(table.columns)
        assert [len(line.cells) for line in found.lines] == [len(table.columns)] * len(table.rows)
        for line, row in zip(found.lines, table.rows, strict=True):
            printed = [None if isinstance(v, str) else v for v in row[len(table.keys) :]]
            assert [cell.published for cell in line.cells] == printed
        assert TableResult.from_json(found.to_json()) == found


def test_the_page_escapes_and_warns(tmp_path):
    made = [
        MadeExhibit("9", "Table 9", TABLE.title, TABLE),
        MadeExhibit(
            "figure-1", "Figure 1", "B", pictures=(("a b.png", "<i>"),), notes=("left out",)
        ),
    ]
    text = write_page(tmp_path, load_card("semi3"), made, ["--small & more"]).read_text()
    assert "A &lt;title&gt;" in text
    assert "<title>Semi-Heterogeneous" in text
    assert "--small &amp; more" in text
    assert text.count("Not comparable with the paper.") == 2
    assert "<img src='a%20b.png' alt='&lt;i&gt;'" in text
    assert "<th colspan=2>A &amp; B</th>" in text
    plain = write_page(tmp_path, load_card("semi3"), made, []).read_text()
    assert "Not comparable" not in plain
    assert "<p class=warning>The model is from the paper only (unverified).</p>" in plain
    assert "The model is" not in write_page(tmp_path, load_card("drclip"), made, []).read_text()
    partial = write_page(tmp_path, load_card("splip"), made, []).read_text()
    assert "(unverified), partial: shapes of the mapping blocks" in partial
    assert ".." not in write_page(tmp_path, load_card("zse"), made, []).read_text()
