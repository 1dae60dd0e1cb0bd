"""A report as Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from sbirctl.report import tables
from sbirctl.report.comparison import Row

ROW = Row(
    runs=("a_1", "b|2"),
    seeds=(0, 1),
    model="drclip",
    dataset="tuberlin→sketchy",
    task="cd",
    metric="map@all",
    ours=0.123456,
    deviation=0.01,
    published=0.740,
    difference=0.123456 - 0.740,
    reason="",
    definition="clipprompt: AP",
    protocol="task cd; 5 queries",
    published_definition="clipprompt: AP",
    published_protocol="task cd; 50 % left out",
    source="Li et al., Table 4",
    remarks="Printed so.",
)
APART = replace(
    ROW, metric="map@5", published=0.7311, difference=None, reason="other split: a_b & c"
)


def test_markdown_carries_figures_marks_and_reasons():
    header, rule, first, second, *notes = tables.to_markdown([ROW, APART]).splitlines()
    assert header == "| data set | task | metric | ours | published | difference |"
    assert set(rule) == set("|- ")
    assert first == (
        "| tuberlin→sketchy | cd | map@all | 0.1235 ± 0.0100 (2) [1, 2] | 0.740 [1, 3] | −0.6165 |"
    )
    assert second.endswith("| 0.7311 [1, 3] | other split: a_b & c |")
    assert [n for n in notes if n] == [
        "[1] clipprompt: AP",
        "[2] Ours: task cd; 5 queries; mean ± standard deviation over 2 runs (seeds 0, 1)",
        "[3] Li et al., Table 4: task cd; 50 % left out. Printed so.",
    ]


def test_several_configurations_are_named():
    other = replace(ROW, runs=("b|2",), seeds=(3,), deviation=None)
    lines = tables.to_markdown([ROW, other]).splitlines()
    assert lines[0].startswith("| run | data set |")
    assert lines[3].startswith("| drclip (b\\|2) |")
    assert "0.1235 [" in lines[3]
    assert len({line.replace("\\|", "").count("|") for line in lines[:4]}) == 1


def test_latex_has_nothing_unescaped():
    text = tables.to_latex([ROW, APART])
    assert r"other split: a\_b \& c \\" in text
    assert r"$\to$sketchy" in text
    assert r"50 \% left out" in text
    assert r"0.1235 $\pm$ 0.0100 (2)" in text
    assert r"$-$0.6165" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    rows = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    assert all(line.replace(r"\&", "").count("&") == 5 for line in rows.split("\n") if line)


@pytest.mark.parametrize(("write", "delimiter"), [(tables.to_csv, ","), (tables.to_tsv, "\t")])
def test_separated_values_come_back(write, delimiter):
    back = list(csv.DictReader(io.StringIO(write([ROW, APART])), delimiter=delimiter))
    assert tuple(back[0]) == tables.HEADER
    assert float(back[0]["ours"]) == ROW.ours
    assert float(back[0]["difference"]) == ROW.difference
    assert (back[1]["difference"], back[1]["not compared because"]) == ("", APART.reason)
    assert back[0]["runs"] == "2"


def test_json_has_every_value():
    value = json.loads(tables.to_json([ROW]))
    assert value["schema"] == 1
    assert value["rows"][0]["ours"] == ROW.ours
    assert value["rows"][0]["seeds"] == [0, 1]


def test_no_rows_are_an_empty_table():
    assert tables.to_markdown([]).count("\n") == 2
    assert tables.to_csv([]).count("\n") == 1


def test_a_difference_says_where_the_published_figure_lies():
    row = replace(ROW, runs=("a", "b", "c"), seeds=(0, 1, 2), interval=(0.1, 0.14), beside="above")
    _, _, first, *notes = tables.to_markdown([row]).splitlines()
    assert first.endswith("| −0.6165, above [4] |")
    assert notes[-1] == (
        "[4] The published figure lies above our 95 % interval over 3 seeds, 0.1000 to 0.1400."
    )
    (back,) = csv.DictReader(io.StringIO(tables.to_csv([row])))
    assert (back["interval low"], back["published lies"]) == ("0.1", "above")
