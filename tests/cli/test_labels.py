"""`--label` and `runs label`: what runs are called in everything that draws or prints them."""

import csv
import json

import pytest

from tests.cli.every_command import leaves

DRAWS = ["audit", "compare", "correlation", "curves", "evaluate", "report", "sheet", "tsne"]


def test_every_command_of_several_runs_takes_labels():
    takes = {
        words
        for words, command in leaves().items()
        if any("--label" in parameter.opts for parameter in command.params)
    }
    assert takes == set(DRAWS)


def called(sbirctl, name, *words):
    more = ["--perplexity", "3"] if name == "tsne" else []
    status, out, err = sbirctl(name, *words, *more, "--json")
    assert status == 0, err
    return json.loads(out)


def names(name, value):
    """What the runs are called in a command's result."""
    if name == "compare":
        return [system["name"] for system in value["systems"]]
    if name == "report":
        return sorted({run for row in value["rows"] for run in row["runs"]})
    if name in ("audit", "correlation", "evaluate"):
        return [row["run"] for row in value["rows"]]
    with open(value["values"], newline="") as stream:
        lines = csv.DictReader(stream, delimiter="\t" if name == "sheet" else ",")
        return list(dict.fromkeys(line["run"] for line in lines))


@pytest.mark.parametrize("name", DRAWS)
def test_labels_are_given_once_for_each_run(name, furnished, sbirctl, tmp_path):
    runs = furnished.runs
    value = called(sbirctl, name, *runs, "--label", "ours", "--label", "a first try")
    wanted = ["a first try", "ours"] if name == "report" else ["ours", "a first try"]
    assert names(name, value) == wanted
    status, _, err = sbirctl(name, *runs, "--label", "ours")
    assert status == 2
    assert "1 label is given for 2 runs" in err


@pytest.mark.parametrize("name", DRAWS)
def test_a_kept_label_is_taken(name, furnished, sbirctl):
    first, second = furnished.runs
    assert sbirctl("runs", "label", first, "  kept ")[0] == 0
    try:
        assert sorted(names(name, called(sbirctl, name, first, second))) == sorted(["kept", second])
    finally:
        assert sbirctl("runs", "label", "kept", "")[0] == 0  # a label names its run
    assert sorted(names(name, called(sbirctl, name, first, second))) == [first, second]


def test_the_list_shows_labels_and_refuses_what_is_none(furnished, sbirctl):
    first = furnished.runs[0]
    sbirctl("runs", "label", first, "größer, 2 %")
    rows = json.loads(sbirctl("runs", "--json")[1])["rows"]
    assert {row["run"]: row["label"] for row in rows}[first] == "größer, 2 %"
    for text in ("x" * 81, "two\nlines", "\x1b[31m", "@1", "a/b", "..", "-"):
        status, _, err = sbirctl("runs", "label", first, text)
        assert (status, len(err.splitlines())) == (2, 2)
    sbirctl("runs", "label", first, "")
    assert not (furnished.home / "runs" / first / "label.txt").exists()


def test_two_runs_of_one_label_are_told_apart(furnished, sbirctl):
    for run in furnished.runs:
        sbirctl("runs", "label", run, "same")
    status, _, err = sbirctl("evaluate", "same")
    assert status == 2
    assert "may be" in err
    value = called(sbirctl, "correlation", *furnished.runs)
    assert names("correlation", value) == [f"same ({run})" for run in furnished.runs]
    for run in furnished.runs:
        sbirctl("runs", "label", run, "")


def test_a_label_that_begins_another_runs_name_means_its_own_run(furnished, sbirctl):
    first, second = furnished.runs
    begin = second[: len(second) - 2]
    assert not first.startswith(begin)
    sbirctl("runs", "label", first, begin)
    assert names("correlation", called(sbirctl, "correlation", begin)) == [begin]
    sbirctl("runs", "label", first, "")


def test_panels_of_two_runs_have_the_first_ones_order_of_classes(furnished, sbirctl):
    for runs in (furnished.runs, furnished.runs[::-1]):
        one, two = called(sbirctl, "correlation", *runs)["rows"]
        alone = called(sbirctl, "correlation", runs[0])["rows"][0]
        assert one["classes"] == two["classes"] == alone["classes"]


@pytest.mark.parametrize("select", ["random", "best", "median"])
def test_a_sheet_of_several_runs_keeps_the_first_ones_queries_in_their_order(
    select, furnished, sbirctl
):
    def queries(*runs):
        with open(called(sbirctl, "sheet", *runs, "--select", select, "-n", "4")["values"]) as file:
            lines = list(csv.DictReader(file, delimiter="\t"))
        return list(dict.fromkeys(line["query"] for line in lines))

    first, second = furnished.runs
    assert queries(first, second) == queries(first)
